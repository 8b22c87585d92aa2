// Events that are older than they are to be kept.

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "controller/store/sqlite_store_impl.h"
#include "cordon/v1/event.pb.h"

namespace cordon::controller {
namespace {

constexpr int64_t kMarkEveryNanos = 3'600 * kNanosPerSecond;
constexpr int64_t kBatchesAtATime = 64;

absl::StatusOr<int64_t> Number(Database& database, std::string_view sql, int64_t bound = 0) {
  CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare(sql));
  if (sql.contains('?')) query.Bind(1, bound);
  CORDON_RETURN_IF_ERROR(query.Step().status());
  return query.Int(0);
}

// How far the store is now, when the last mark is old enough. Positions alone say when something came: the
// times in batches are their hosts'.
absl::Status SetMark(Database& database, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(const int64_t last,
                          Number(database, "SELECT coalesce(max(time), 0) FROM event_marks"));
  if (last > now - kMarkEveryNanos) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(
      Statement insert,
      database.Prepare("INSERT INTO event_marks SELECT ?, coalesce((SELECT max(position) FROM batches), 0)"));
  return insert.Bind(1, now).Run();
}

absl::Status TakeOut(Database& database, int64_t after, int64_t up_to) {
  CORDON_ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE batches SET payload = x'', repeats = -1 WHERE position > ? AND "
                       "position <= ? AND dropped = 0 AND repeats = 0 AND event_class <> ?"));
  CORDON_RETURN_IF_ERROR(update.Bind(1, after).Bind(2, up_to).Bind(3, v1::EVENT_CLASS_CONTROL).Run());
  CORDON_ASSIGN_OR_RETURN(Statement done, database.Prepare("UPDATE event_age SET position = ?"));
  CORDON_RETURN_IF_ERROR(done.Bind(1, up_to).Run());
  CORDON_ASSIGN_OR_RETURN(Statement forget,
                          database.Prepare("DELETE FROM event_marks WHERE position <= ? AND "
                                           "time < (SELECT max(time) FROM event_marks)"));
  return forget.Bind(1, up_to).Run();
}

}  // namespace

absl::StatusOr<bool> SqliteStore::AgeOutEvents(int64_t keep_nanos, int64_t up_to_position) {
  const int64_t now = clock_.WallNanos();
  bool more = false;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_RETURN_IF_ERROR(SetMark(database, now));
    CORDON_ASSIGN_OR_RETURN(
        const int64_t old,
        Number(database, "SELECT coalesce(max(position), 0) FROM event_marks WHERE time <= ?",
               now - keep_nanos));
    CORDON_ASSIGN_OR_RETURN(const int64_t done, Number(database, "SELECT position FROM event_age"));
    const int64_t end = std::min(old, up_to_position);
    if (end <= done) return absl::OkStatus();
    const int64_t next = std::min(end, done + kBatchesAtATime);
    more = next < end;
    return TakeOut(database, done, next);
  }));
  return more;
}

}  // namespace cordon::controller
