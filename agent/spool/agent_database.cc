#include "agent/spool/agent_database.h"

#include <array>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/crypto/credible_time.h"

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

// The link's file, by the name that agent/link gives it; this module is below it.
constexpr const char* kHostCertificateFile = "host.crt";

// The newest damaged file beside `path`, without its journals.
std::optional<std::filesystem::path> NewestSetAside(const std::filesystem::path& path) {
  const std::string prefix = path.filename().string() + ".damaged-";
  std::optional<std::filesystem::path> newest;
  std::error_code error;
  for (std::filesystem::directory_iterator at(path.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    const bool number =
        name.starts_with(prefix) && name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
    if (number && (!newest.has_value() || newest->filename().string() < name)) newest = at->path();
  }
  return newest;
}

// A clock that is behind must not let an old order pass: what was written last to the damaged file was
// written after the newest order that it knew.
// A clock that is ahead by years, now or when that was written, must not shut out all orders once it is
// right.
int64_t FloorNanos(const std::filesystem::path& aside, int64_t now_unix_nanos) {
  int64_t floor = now_unix_nanos;
  for (const std::string_view suffix : {"", "-wal"}) {
    std::error_code error;
    const auto written = std::filesystem::last_write_time(aside.string() + std::string(suffix), error);
    if (error) continue;
    const auto wall = std::chrono::file_clock::to_sys(written).time_since_epoch();
    floor = std::max<int64_t>(floor, std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count());
  }
  return CredibleNanos(floor, aside.parent_path() / kHostCertificateFile);
}

absl::Status SetLaneFloors(Database& database, int64_t floor_nanos) {
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database.Prepare("INSERT OR IGNORE INTO lane VALUES(?, ?, '', x'', x'')"));
  for (const std::string_view lane : {"scan", "policy"}) {
    CORDON_RETURN_IF_ERROR(insert.BindText(1, lane).Bind(2, floor_nanos / 1'000).Run());
  }
  return absl::OkStatus();
}

// No queue has begun in it.
absl::StatusOr<bool> IsFresh(Database& database) {
  CORDON_ASSIGN_OR_RETURN(Statement find, database.Prepare("SELECT 1 FROM spool"));
  CORDON_ASSIGN_OR_RETURN(const bool row, find.Step());
  return !row;
}

// An agent that was killed between setting a damaged file aside and recording that leaves a fresh one beside
// it.
absl::Status NoticeEarlierDamage(const std::filesystem::path& path, OpenedDatabase* opened) {
  if (opened->set_aside.has_value()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const bool fresh, IsFresh(opened->database));
  const std::optional<std::filesystem::path> aside = fresh ? NewestSetAside(path) : std::nullopt;
  if (!aside.has_value()) return absl::OkStatus();
  opened->set_aside = aside;
  opened->damage = "as an earlier start found";
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OpenedDatabase> OpenAgentDatabase(const std::filesystem::path& path, int64_t now_unix_nanos) {
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened, OpenOrSetAside(path, Database::Durability::kFull));
  CORDON_RETURN_IF_ERROR(Annotate(opened.database.Migrate(kSchema), path.string()));
  // Half a megabyte for each connection, not SQLite's two: rows are written once and read once.
  CORDON_RETURN_IF_ERROR(Annotate(opened.database.Execute("PRAGMA cache_size=-512"), path.string()));
  CORDON_RETURN_IF_ERROR(Annotate(NoticeEarlierDamage(path, &opened), path.string()));
  if (opened.set_aside.has_value()) {
    const int64_t floor = FloorNanos(*opened.set_aside, now_unix_nanos);
    CORDON_RETURN_IF_ERROR(Annotate(SetLaneFloors(opened.database, floor), path.string()));
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
  opened.set_aside = aside;
  opened.damage = std::string(damage);
  return opened;
}

}  // namespace cordon::agent
