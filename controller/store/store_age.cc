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
// times in batches are their hosts'. Marks of a time that is not yet, since the clock was set back, are
// forgotten: behind one of them none would be set until its time has come.
absl::Status SetMark(Database& database, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(Statement wrong, database.Prepare("DELETE FROM event_marks WHERE time > ?"));
  CORDON_RETURN_IF_ERROR(wrong.Bind(1, now).Run());
  CORDON_ASSIGN_OR_RETURN(const int64_t last,
                          Number(database, "SELECT coalesce(max(time), 0) FROM event_marks"));
  if (last > now - kMarkEveryNanos) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(
      Statement insert,
      database.Prepare("INSERT INTO event_marks SELECT ?, coalesce((SELECT max(position) FROM batches), 0)"));
  return insert.Bind(1, now).Run();
}

// The clock was set forward: nothing is older for that. Two steps, for a mark must not meet another one.
absl::Status ShiftMarks(Database& database, int64_t nanos) {
  CORDON_ASSIGN_OR_RETURN(Statement shift, database.Prepare("UPDATE event_marks SET time = -(time + ?)"));
  CORDON_RETURN_IF_ERROR(shift.Bind(1, nanos).Run());
  CORDON_ASSIGN_OR_RETURN(Statement turn, database.Prepare("UPDATE event_marks SET time = -time"));
  return turn.Run();
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
  const int64_t boot = clock_.BootNanos();
  bool more = false;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    const int64_t set_forward = age_look_ ? now - age_look_->wall - (boot - age_look_->boot) : 0;
    if (set_forward > kMarkEveryNanos) CORDON_RETURN_IF_ERROR(ShiftMarks(database, set_forward));
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
  const std::lock_guard lock(writer_mutex_);
  age_look_ = AgeLook{.wall = now, .boot = boot};
  return more;
}

}  // namespace cordon::controller
