#include <algorithm>
#include <deque>
#include <limits>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/store/event_merge.h"
#include "controller/store/sqlite_store_impl.h"
#include "controller/store/target_matcher.h"

namespace cordon::controller {
namespace {

constexpr int kPageBatches = 16;
constexpr int kPageRows = 10'000;
// Of memory, some four times what the events have on the wire.
constexpr size_t kMaxNewestBytes = 256 * 1024 * 1024;
constexpr EventMerge::Limits kHeld = {.events = 200'000, .bytes = 256 * 1024 * 1024};

constexpr std::string_view kSelectBatch =
    "SELECT b.position, b.host_id, h.name, h.site, h.labels, b.first_time, b.chain_id, b.first_sequence, "
    "b.event_count, "
    "b.event_class, b.last_time, b.dropped, b.previous_hash, b.payload_sha256, b.payload "
    "FROM batches b JOIN hosts h USING(host_id) ";

StoredBatch BatchFrom(const Statement& row) {
  StoredBatch stored;
  stored.position = row.Int(0);
  stored.host_id = row.Bytes(1);
  stored.host_name = row.Bytes(2);
  stored.first_time_unix_nanos = row.Int(5);
  stored.batch.set_chain_id(std::string(row.Bytes(6)));
  stored.batch.set_first_sequence(row.Unsigned(7));
  stored.batch.set_event_count(static_cast<uint32_t>(row.Int(8)));
  stored.batch.set_event_class(static_cast<v1::EventClass>(row.Int(9)));
  stored.batch.set_first_time_unix_nanos(row.Int(5));
  stored.batch.set_last_time_unix_nanos(row.Int(10));
  stored.batch.set_dropped(static_cast<v1::Gap::Cause>(row.Int(11)));
  stored.batch.set_previous_hash(std::string(row.Bytes(12)));
  stored.batch.set_payload_sha256(std::string(row.Bytes(13)));
  stored.batch.set_payload(std::string(row.Bytes(14)));
  return stored;
}

// Which hosts and classes a query wants, judged by columns alone.
class RowFilter {
 public:
  explicit RowFilter(const EventQuery& query) : query_(query), matcher_(query.target) {}

  absl::StatusOr<bool> Wants(const Statement& row) const {
    const auto event_class = static_cast<v1::EventClass>(row.Int(9));
    if (!query_.classes.empty() && std::ranges::find(query_.classes, event_class) == query_.classes.end())
      return false;
    if (query_.every_host) return true;
    CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Label> labels, UnpackLabels(row.Bytes(4)));
    return matcher_.Matches(row.Bytes(1), row.Bytes(2), row.Bytes(3), labels);
  }

 private:
  const EventQuery& query_;
  TargetMatcher matcher_;
};

struct Page {
  std::vector<StoredBatch> batches;
  // The last row that was looked at, wanted or not: the next page goes on behind it.
  int64_t last_time = std::numeric_limits<int64_t>::min();
  int64_t last_position = 0;
  bool end = false;  // nothing comes after it
};

// Fills a page from a statement that is bound. Ends it after kPageRows as well: a query that wants little of
// much must give its connection back now and then.
absl::StatusOr<Page> ReadPage(Statement& query, const RowFilter& filter) {
  Page page;
  for (int rows = 0; page.batches.size() < kPageBatches && rows < kPageRows; ++rows) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) {
      page.end = true;
      break;
    }
    page.last_time = query.Int(5);
    page.last_position = query.Int(0);
    CORDON_ASSIGN_OR_RETURN(const bool wanted, filter.Wants(query));
    if (wanted) page.batches.push_back(BatchFrom(query));
  }
  return page;
}

bool GoesOn(const EventQuery& query) {
  return !query.goes_on || query.goes_on();
}

int64_t EndOf(const EventQuery& query) {
  return query.until_unix_nanos == 0 ? std::numeric_limits<int64_t>::max() : query.until_unix_nanos;
}

// Looks for the time at or after which at least query.limit events are asked for, newest first.
class SinceForLimit {
 public:
  SinceForLimit(const EventQuery& query, int64_t position, const RowFilter& filter)
      : query_(query), position_(position), filter_(filter) {}

  // Looks at kPageRows at most. True: found.
  absl::StatusOr<bool> LookOn(Database& database) {
    // Without the payload, and in the column order of kSelectBatch.
    CORDON_ASSIGN_OR_RETURN(
        Statement rows,
        database.Prepare(
            "SELECT b.position, b.host_id, h.name, h.site, h.labels, b.first_time, 0, 0, b.event_count, "
            "b.event_class, b.last_time, b.dropped FROM batches b JOIN hosts h USING(host_id) "
            "WHERE (b.first_time, b.position) < (?, ?) AND b.repeats = 0 AND b.first_time >= ? AND "
            "b.last_time < ? AND b.position <= ? ORDER BY b.first_time DESC, b.position DESC"));
    rows.Bind(1, last_time_).Bind(2, last_position_).Bind(3, query_.since_unix_nanos);
    rows.Bind(4, EndOf(query_)).Bind(5, position_);
    for (int i = 0; i < kPageRows; ++i) {
      CORDON_ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) return true;
      last_time_ = rows.Int(5);
      last_position_ = rows.Int(0);
      CORDON_ASSIGN_OR_RETURN(const bool wanted, filter_.Wants(rows));
      if (wanted) events_ += rows.Int(11) != 0 ? 1 : rows.Unsigned(8);
      if (events_ < query_.limit) continue;
      since_ = last_time_;
      return true;
    }
    return false;
  }

  // The query's own since when there are fewer.
  int64_t Since() const { return since_; }

 private:
  const EventQuery& query_;
  const int64_t position_;
  const RowFilter& filter_;
  int64_t since_ = query_.since_unix_nanos;
  uint64_t events_ = 0;
  int64_t last_time_ = std::numeric_limits<int64_t>::max();
  int64_t last_position_ = std::numeric_limits<int64_t>::max();
};

// Passes on the newest `limit` events; all at once, at the end.
class Newest {
 public:
  explicit Newest(uint64_t limit) : limit_(limit) {}

  // False when they take more memory than they may: fewer than were asked for would look like all.
  bool Add(v1::QueryEventsResponse&& event) {
    const size_t bytes = event.SpaceUsedLong();
    bytes_ += bytes;
    events_.push_back({bytes, std::move(event)});
    if (events_.size() > limit_) {
      bytes_ -= events_.front().bytes;
      events_.pop_front();
    }
    too_large_ = bytes_ > kMaxNewestBytes;
    return !too_large_;
  }

  absl::Status Judge() const {
    if (!too_large_) return absl::OkStatus();
    return absl::ResourceExhaustedError(StrCat("the newest ", limit_, " events take more than ",
                                               FormatBytes(kMaxNewestBytes),
                                               ": ask for fewer, or for a range of time"));
  }

  void PassOn(const Store::EventCallback& callback) {
    for (Held& held : events_) {
      if (!callback(std::move(held.event))) return;
    }
  }

 private:
  uint64_t limit_;
  size_t bytes_ = 0;  // of the events
  bool too_large_ = false;
  struct Held {
    size_t bytes;
    v1::QueryEventsResponse event;
  };
  std::deque<Held> events_;
};

// Adds one batch's events to the merge. False when the callback ended the query.
absl::StatusOr<bool> MergeBatch(const StoredBatch& stored, const EventQuery& query, EventMerge& merge) {
  if (!merge.ReleaseBefore(stored.first_time_unix_nanos)) return false;
  return ForEachRow(stored, [&](v1::QueryEventsResponse&& event) {
    return !IsAskedFor(query, event) || merge.Add(stored.position, std::move(event));
  });
}

}  // namespace

absl::Status SqliteStore::QueryEvents(const EventQuery& asked, int64_t position,
                                      const EventCallback& callback) {
  EventQuery query = asked;
  const RowFilter filter(query);
  if (query.limit != 0) {
    SinceForLimit search(asked, position, filter);
    for (bool found = false; !found;) {
      if (!GoesOn(asked)) return absl::OkStatus();
      CORDON_RETURN_IF_ERROR(ReadLong([&](Database& database) -> absl::Status {
        CORDON_ASSIGN_OR_RETURN(found, search.LookOn(database));
        return absl::OkStatus();
      }));
    }
    query.since_unix_nanos = search.Since();
  }
  Newest newest(query.limit);
  EventMerge merge(kHeld, [&](v1::QueryEventsResponse&& event) {
    if (query.limit == 0) return callback(std::move(event));
    return newest.Add(std::move(event));
  });
  Page page;
  while (!page.end) {
    if (!GoesOn(asked)) return absl::OkStatus();
    // The reader is given back between pages: a slow caller holds up neither writers nor the log's
    // checkpoints.
    CORDON_RETURN_IF_ERROR(ReadLong([&](Database& database) -> absl::Status {
      CORDON_ASSIGN_OR_RETURN(
          Statement rows,
          database.Prepare(StrCat(kSelectBatch,
                                  "WHERE (b.first_time, b.position) > (?, ?) AND b.first_time < ? "
                                  "AND b.last_time >= ? AND b.position <= ? AND b.repeats = 0 "
                                  "ORDER BY b.first_time, b.position")));
      rows.Bind(1, page.last_time)
          .Bind(2, page.last_position)
          .Bind(3, EndOf(query))
          .Bind(4, query.since_unix_nanos);
      rows.Bind(5, position);
      CORDON_ASSIGN_OR_RETURN(page, ReadPage(rows, filter));
      return absl::OkStatus();
    }));
    for (const StoredBatch& stored : page.batches) {
      const absl::StatusOr<bool> more = MergeBatch(stored, query, merge);
      if (!more.ok()) return Explain(more.status());
      if (!*more) return newest.Judge();
    }
  }
  if (!merge.ReleaseAll()) return newest.Judge();
  if (query.limit != 0) newest.PassOn(callback);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqliteStore::NewestPosition() {
  int64_t position = 0;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT max(position) FROM batches"));
    CORDON_RETURN_IF_ERROR(query.Step().status());
    position = query.Int(0);
    return absl::OkStatus();
  }));
  return position;
}

absl::StatusOr<int64_t> SqliteStore::EventsAfter(int64_t position, const EventQuery& query,
                                                 const EventCallback& callback) {
  // Everything up to here is looked at, whether it is asked for or not.
  CORDON_ASSIGN_OR_RETURN(int64_t end, NewestPosition());
  if (query.until_position != 0) end = std::min(end, query.until_position);
  const RowFilter filter(query);
  Page page;
  while (!page.end) {
    if (!GoesOn(query)) return position;
    CORDON_RETURN_IF_ERROR(ReadLong([&](Database& database) -> absl::Status {
      CORDON_ASSIGN_OR_RETURN(
          Statement rows,
          database.Prepare(
              StrCat(kSelectBatch,
                     "WHERE b.position > ? AND b.position <= ? AND b.repeats = 0 ORDER BY b.position")));
      rows.Bind(1, position).Bind(2, end);
      CORDON_ASSIGN_OR_RETURN(page, ReadPage(rows, filter));
      return absl::OkStatus();
    }));
    for (const StoredBatch& stored : page.batches) {
      position = stored.position;
      const absl::StatusOr<bool> more = ForEachRow(stored, [&](v1::QueryEventsResponse&& event) {
        return !IsAskedFor(query, event) || callback(std::move(event));
      });
      if (!more.ok()) return Explain(more.status());
      if (!*more) return position;
    }
    position = std::max(position, page.last_position);
  }
  return std::max(position, end);
}

}  // namespace cordon::controller
