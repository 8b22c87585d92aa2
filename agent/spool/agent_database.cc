#include "agent/spool/agent_database.h"

#include <array>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

// A batch's header and its payload are apart, so that dropping the payload or renumbering the header rewrites
// little.
constexpr std::array<std::string_view, 1> kSchema = {R"sql(
  CREATE TABLE spool(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    host_id TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    chain_first INTEGER NOT NULL,
    next_sequence INTEGER NOT NULL,
    last_hash BLOB NOT NULL,
    acknowledged INTEGER NOT NULL,
    clean_stop INTEGER NOT NULL,
    last_commit_unix_nanos INTEGER NOT NULL,
    age_nanos INTEGER NOT NULL);
  CREATE TABLE batch(
    id INTEGER PRIMARY KEY,
    last_sequence INTEGER NOT NULL,
    event_class INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    written_age_nanos INTEGER NOT NULL,
    payload_bytes INTEGER NOT NULL,
    header BLOB NOT NULL);
  CREATE INDEX batch_by_sequence ON batch(last_sequence);
  CREATE INDEX batch_by_importance ON batch(event_class, id) WHERE payload_bytes > 0;
  CREATE INDEX batch_by_age ON batch(written_age_nanos) WHERE payload_bytes > 0 AND event_class < 4;
  CREATE INDEX batch_with_payload ON batch(id) WHERE payload_bytes > 0;
  CREATE TABLE payload(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE lane(
    lane TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    outcome BLOB NOT NULL,
    signed_order BLOB NOT NULL);
  CREATE TABLE policy(one INTEGER PRIMARY KEY CHECK(one = 1), policy BLOB NOT NULL);
)sql"};

absl::Status SetLaneFloors(Database& database, int64_t now_unix_nanos) {
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database.Prepare("INSERT OR IGNORE INTO lane VALUES(?, ?, '', x'', x'')"));
  for (const std::string_view lane : {"scan", "policy"}) {
    CORDON_RETURN_IF_ERROR(insert.BindText(1, lane).Bind(2, now_unix_nanos / 1'000).Run());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OpenedDatabase> OpenAgentDatabase(const std::filesystem::path& path, int64_t now_unix_nanos) {
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened, OpenOrSetAside(path, Database::Durability::kFull));
  CORDON_RETURN_IF_ERROR(Annotate(opened.database.Migrate(kSchema), path.string()));
  // Half a megabyte for each connection, not SQLite's two: rows are written once and read once.
  CORDON_RETURN_IF_ERROR(Annotate(opened.database.Execute("PRAGMA cache_size=-512"), path.string()));
  if (opened.set_aside.has_value()) {
    CORDON_RETURN_IF_ERROR(Annotate(SetLaneFloors(opened.database, now_unix_nanos), path.string()));
  }
  return opened;
}

absl::StatusOr<OpenedDatabase> SetAsideAgentDatabase(const std::filesystem::path& path,
                                                     std::string_view damage, int64_t now_unix_nanos) {
  const std::filesystem::path aside = path.string() + StrCat(".damaged-", now_unix_nanos / kNanosPerSecond);
  for (const std::string_view suffix : {"", "-wal", "-shm"}) {
    std::error_code error;
    std::filesystem::rename(path.string() + std::string(suffix), aside.string() + std::string(suffix), error);
    if (error && suffix.empty()) {
      return absl::UnavailableError(StrCat("cannot set aside ", path.string(), ": ", error.message()));
    }
  }
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened, OpenAgentDatabase(path, now_unix_nanos));
  CORDON_RETURN_IF_ERROR(Annotate(SetLaneFloors(opened.database, now_unix_nanos), path.string()));
  opened.set_aside = aside;
  opened.damage = std::string(damage);
  return opened;
}

}  // namespace cordon::agent
