#include "agent/flows/flow_history.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {
namespace {

using platform::FlowDirection;
using platform::FlowProtocol;

constexpr std::array<std::string_view, 1> kSchema = {R"sql(
  CREATE TABLE made(one INTEGER PRIMARY KEY CHECK(one = 1), unix_nanos INTEGER NOT NULL);
  CREATE TABLE flow(
    executable BLOB NOT NULL,
    direction INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    remote TEXT NOT NULL,
    port INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    times INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY(executable, direction, protocol, remote, port)) WITHOUT ROWID;
  CREATE INDEX flow_by_time ON flow(last_seen);
)sql"};

// In the order of statements_.
enum : size_t { kUpsert, kRecent, kCount, kTooOld, kTooMany };
constexpr std::array<std::string_view, 5> kStatements = {
    "INSERT INTO flow VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET first_seen = min(first_seen, excluded.first_seen), "
    "last_seen = max(last_seen, excluded.last_seen), times = times + excluded.times, "
    "name = CASE excluded.name WHEN '' THEN name ELSE excluded.name END",
    "SELECT executable, direction, protocol, remote, port, first_seen, last_seen, times, name FROM flow "
    "ORDER BY last_seen DESC LIMIT ?",
    "SELECT count(*) FROM flow", "DELETE FROM flow WHERE last_seen < ?",
    "DELETE FROM flow WHERE (executable, direction, protocol, remote, port) IN (SELECT executable, "
    "direction, "
    "protocol, remote, port FROM flow ORDER BY times > 1, last_seen LIMIT ?)"};

// Nothing for a row that this program cannot have written.
std::optional<KnownFlow> FlowOf(const Statement& row) {
  KnownFlow known;
  boost::system::error_code error;
  known.executable = row.Bytes(0);
  known.flow.direction = row.Int(1) == 2 ? FlowDirection::kIn : FlowDirection::kOut;
  known.flow.protocol = row.Int(2) == 2 ? FlowProtocol::kUdp : FlowProtocol::kTcp;
  known.flow.remote.address = boost::asio::ip::make_address(std::string(row.Bytes(3)), error);
  const int64_t port = row.Int(4);
  if (error || port < 0 || port > 65'535) return std::nullopt;
  const bool in = known.flow.direction == FlowDirection::kIn;
  (in ? known.flow.local : known.flow.remote).port = static_cast<uint16_t>(port);
  known.first_seen_unix_nanos = row.Int(5);
  known.last_seen_unix_nanos = row.Int(6);
  known.times_seen = static_cast<uint64_t>(std::max<int64_t>(row.Int(7), 1));
  if (!row.Bytes(8).empty()) known.names.emplace_back(row.Bytes(8));
  return known;
}

}  // namespace

FlowHistory::FlowHistory(FlowHistorySettings settings, Database database)
    : settings_(std::move(settings)), database_(std::move(database)) {}

absl::StatusOr<FlowHistory> FlowHistory::Open(const FlowHistorySettings& settings, int64_t now_unix_nanos) {
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened,
                          OpenOrSetAside(settings.file, Database::Durability::kNormal));
  FlowHistory history(settings, std::move(opened.database));
  CORDON_RETURN_IF_ERROR(Annotate(history.Prepare(now_unix_nanos), settings.file.string()));
  if (opened.set_aside) {
    history.set_aside_notice_ =
        StrCat("the history of flows was damaged (", opened.damage, "), set aside as ",
               opened.set_aside->filename().string(), ", and begins anew");
  }
  return history;
}

absl::Status FlowHistory::Prepare(int64_t now_unix_nanos) {
  CORDON_RETURN_IF_ERROR(database_.Migrate(kSchema));
  CORDON_RETURN_IF_ERROR(database_.Execute("PRAGMA cache_size = -256"));  // in KiB: little memory, rare use
  CORDON_ASSIGN_OR_RETURN(Statement insert, database_.Prepare("INSERT OR IGNORE INTO made VALUES(1, ?)"));
  CORDON_RETURN_IF_ERROR(insert.Bind(1, now_unix_nanos).Run());
  CORDON_ASSIGN_OR_RETURN(Statement made, database_.Prepare("SELECT unix_nanos FROM made"));
  CORDON_ASSIGN_OR_RETURN(const bool there, made.Step());
  made_unix_nanos_ = there ? made.Int(0) : now_unix_nanos;
  for (const std::string_view sql : kStatements) {
    CORDON_ASSIGN_OR_RETURN(Statement statement, database_.Prepare(sql));
    statements_.push_back(std::move(statement));
  }
  return Forget(now_unix_nanos);
}

absl::Status FlowHistory::AddOne(const KnownFlow& known) {
  return statements_[kUpsert]
      .BindBlob(1, known.executable)
      .Bind(2, static_cast<int64_t>(known.flow.direction))
      .Bind(3, static_cast<int64_t>(known.flow.protocol))
      .BindText(4, known.flow.remote.address.to_string())
      .Bind(5, AcceptingPort(known.flow))
      .Bind(6, known.first_seen_unix_nanos)
      .Bind(7, known.last_seen_unix_nanos)
      .BindUnsigned(8, known.times_seen)
      .BindText(9, known.names.empty() ? std::string_view() : std::string_view(known.names.front()))
      .Run();
}

absl::Status FlowHistory::Add(const std::vector<KnownFlow>& flows, int64_t now_unix_nanos) {
  return database_.Transaction([&]() -> absl::Status {
    for (const KnownFlow& known : flows) CORDON_RETURN_IF_ERROR(AddOne(known));
    return Forget(now_unix_nanos);
  });
}

absl::Status FlowHistory::Forget(int64_t now_unix_nanos) {
  CORDON_RETURN_IF_ERROR(statements_[kTooOld].Bind(1, now_unix_nanos - settings_.kept_nanos).Run());
  CORDON_ASSIGN_OR_RETURN(const size_t count, Count());
  if (count <= settings_.max_kinds) return absl::OkStatus();
  return statements_[kTooMany].Bind(1, static_cast<int64_t>(count - settings_.max_kinds)).Run();
}

absl::StatusOr<std::vector<KnownFlow>> FlowHistory::Recent(size_t limit) {
  Statement& select = statements_[kRecent];
  select.Reset();
  select.Bind(1, static_cast<int64_t>(limit));
  std::vector<KnownFlow> flows;
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) break;
    if (std::optional<KnownFlow> known = FlowOf(select)) flows.push_back(*std::move(known));
  }
  select.Reset();
  return flows;
}

absl::StatusOr<size_t> FlowHistory::Count() {
  Statement& count = statements_[kCount];
  count.Reset();
  CORDON_ASSIGN_OR_RETURN(const bool row, count.Step());
  const size_t kinds = row ? static_cast<size_t>(count.Int(0)) : 0;
  count.Reset();
  return kinds;
}

int64_t FlowHistory::SinceUnixNanos(int64_t now_unix_nanos) const {
  return std::max(made_unix_nanos_, now_unix_nanos - settings_.kept_nanos);
}

}  // namespace cordon::agent
