#pragma once

// Turns stored batches, which come by the time of their first event, into events by time.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "controller/store/records.h"

namespace cordon::controller {

struct StoredBatch {
  int64_t position = 0;
  std::string host_id;
  std::string host_name;
  int64_t first_time_unix_nanos = 0;
  v1::Batch batch;
};

// Gives the events of a batch as a query shows them, one at a time (AUT-6); a dropped batch is one Gap
// (TEL-1). False when the callback ended it. DATA_LOSS when the payload is not what was stored.
using RowCallback = std::function<bool(v1::QueryEventsResponse&& event)>;
absl::StatusOr<bool> ForEachRow(const StoredBatch& stored, const RowCallback& callback);

// Within [since, until) and of a class that is asked for.
bool IsAskedFor(const EventQuery& query, const v1::QueryEventsResponse& event);

// Holds back events until none can come before them. Not thread-safe.
class EventMerge {
 public:
  struct Limits {
    size_t events = 0;
    size_t bytes = 0;  // of memory
  };
  // `callback` is called per event; false ends the query.
  EventMerge(const Limits& limits, RowCallback callback) : limits_(limits), callback_(std::move(callback)) {}

  // No event before `time` comes any more. False when the callback ended the query.
  bool ReleaseBefore(int64_t time);
  bool ReleaseAll();
  // False when the callback ended the query.
  bool Add(int64_t position, v1::QueryEventsResponse event);

 private:
  struct Held {
    int64_t position;
    size_t bytes;
    v1::QueryEventsResponse event;
  };
  struct Later {
    bool operator()(const Held& a, const Held& b) const;
  };
  bool ReleaseFirst();

  Limits limits_;
  size_t bytes_ = 0;  // of all that is held
  RowCallback callback_;
  std::vector<Held> heap_;  // the earliest on top
};

}  // namespace cordon::controller
