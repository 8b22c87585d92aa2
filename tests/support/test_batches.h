#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/wire/batch_codec.h"
#include "common/wire/batch_hash.h"
#include "cordon/v1/event.pb.h"
#include "tests/support/encode_list.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

// A process event that can be told from others by its pid.
inline v1::Event StartedEvent(uint32_t pid, int64_t offset_nanos = 0) {
  v1::Event event;
  event.set_time_offset_nanos(offset_nanos);
  event.mutable_process_started()->set_pid(pid);
  return event;
}

// Sets the payload and what hangs on it.
inline void Fill(const std::vector<v1::Event>& events, int64_t base_time, v1::Batch* batch) {
  v1::EventList list;
  list.set_base_time_unix_nanos(base_time);
  for (const v1::Event& event : events) *list.add_events() = event;
  batch->set_event_count(static_cast<uint32_t>(events.size()));
  batch->set_payload(Must(EncodeList(list)));
  batch->set_payload_sha256(Sha256(batch->payload()));
}

// Makes the batches of one host as its spool would: numbered and chained.
class BatchChain {
 public:
  explicit BatchChain(std::string host_id, uint64_t next_sequence = 1)
      : host_id_(std::move(host_id)), next_sequence_(next_sequence) {}

  v1::Batch Next(const std::vector<v1::Event>& events, v1::EventClass event_class = v1::EVENT_CLASS_PROCESS,
                 int64_t base_time = kNoon) {
    v1::Batch batch = Header(event_class);
    Fill(events, base_time, &batch);
    return Append(std::move(batch));
  }

  // What the spool leaves of a batch that it gave up (TEL-4).
  v1::Batch Dropped(uint32_t event_count, v1::Gap::Cause cause, int64_t first_time, int64_t last_time) {
    v1::Batch batch = Header(v1::EVENT_CLASS_PROCESS);
    batch.set_event_count(event_count);
    batch.set_payload_sha256(Sha256("what was dropped"));
    batch.set_dropped(cause);
    batch.set_first_time_unix_nanos(first_time);
    batch.set_last_time_unix_nanos(last_time);
    return Append(std::move(batch));
  }

  const std::string& Id() const { return chain_id_; }
  uint64_t NextSequence() const { return next_sequence_; }
  const std::string& Hash() const { return hash_; }

  static constexpr int64_t kNoon = 1'795'521'600 * kNanosPerSecond;

 private:
  v1::Batch Header(v1::EventClass event_class) const {
    v1::Batch batch;
    batch.set_first_sequence(next_sequence_);
    batch.set_event_class(event_class);
    batch.set_previous_hash(hash_);
    batch.set_chain_id(chain_id_);
    return batch;
  }

  v1::Batch Append(v1::Batch batch) {
    next_sequence_ += batch.event_count();
    hash_ = BatchHash(host_id_, batch);
    return batch;
  }

  const std::string host_id_;
  const std::string chain_id_ = NewUuid();
  uint64_t next_sequence_;
  std::string hash_ = FirstPreviousHash();
};

}  // namespace cordon::testing
