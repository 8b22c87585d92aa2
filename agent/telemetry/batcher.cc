#include "agent/telemetry/batcher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/telemetry/event_buffer.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLongestRetry{30};
// What one event costs in memory beside its content.
constexpr size_t kEventOverhead = 128;

bool IsUrgent(v1::EventClass event_class) {
  return event_class == v1::EVENT_CLASS_CONTROL || event_class == v1::EVENT_CLASS_FINDING;
}

}  // namespace

class Batcher::Core {
 public:
  Core(Spool& spool, const Clock& clock, BatcherSettings settings, std::function<void()> on_committed)
      : spool_(spool),
        clock_(clock),
        settings_(settings),
        on_committed_(std::move(on_committed)),
        buffer_({.bytes = settings.limit_bytes, .control_bytes = settings.control_limit_bytes}),
        retry_after_(settings.retry_after),
        writer_([this] { WriterLoop(); }) {}

  ~Core() { EndThread(); }

  void Emit(v1::EventClass event_class, TimedEvent timed) {
    const size_t bytes = timed.bytes.size() + kEventOverhead;
    std::unique_lock lock(mutex_);
    if (!WaitForRoom(lock, event_class, bytes)) {
      buffer_.CountLoss(event_class, timed.time_unix_nanos);
      return;
    }
    const bool was_empty = buffer_.Empty();
    buffer_.Add(event_class, std::move(timed), bytes);
    if (was_empty) write_at_ = SteadyClock::now() + FlushAfter();
    if (IsUrgent(event_class) || buffer_.LargestClass() >= settings_.flush_events) write_now_ = true;
    if (was_empty || write_now_) wake_.notify_one();
  }

  absl::Status WriteAndWait(std::chrono::milliseconds timeout, bool maintain) {
    std::unique_lock lock(mutex_);
    if (ended_) return absl::FailedPreconditionError("the batcher has stopped");
    const uint64_t wanted = rounds_begun_ + 1;  // a round that begins after this call
    write_now_ = true;
    maintain_ = maintain_ || maintain;
    wake_.notify_one();
    // A failed round leaves what it took to the next one, so that only a good one answers.
    if (written_.wait_for(lock, timeout, [&] { return last_good_round_ >= wanted; })) return absl::OkStatus();
    return last_status_.ok() ? absl::DeadlineExceededError("the spool's disk did not answer in time")
                             : last_status_;
  }

  void EndThread() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      wake_.notify_one();
      retry_.notify_all();
      room_.notify_all();
    }
    if (writer_.joinable()) writer_.join();
  }

  // After EndThread: what came between the last flush and the end of the thread. Nothing is taken any more.
  absl::Status WriteRest() {
    std::vector<EventGroup> rest;
    {
      const std::lock_guard lock(mutex_);
      rest = std::exchange(taken_, {});
      for (EventGroup& group : buffer_.Take(clock_.WallNanos())) rest.push_back(std::move(group));
    }
    if (rest.empty()) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(spool_.Append(rest));
    on_committed_();
    return absl::OkStatus();
  }

  void WakeForMaintenance() {
    const SpoolStats stats = spool_.Stats();
    const std::lock_guard lock(mutex_);
    unheard_since_.reset();
    if (stats.acknowledged_sequence < stats.last_sequence) unheard_since_ = SteadyClock::now();
    if (maintain_) return;
    maintain_ = true;
    const bool soon = stats.bytes >= settings_.forget_soon_bytes;
    if (buffer_.Empty())
      write_at_ = SteadyClock::now() + (soon ? settings_.flush_after : settings_.forget_after);
    wake_.notify_one();
  }

  void Prove() {
    const absl::Status status = WriteAndWait(kCanaryTimeout, true);
    const absl::Status readable = spool_.Readable();
    const std::lock_guard lock(mutex_);
    proof_.serving = status.ok() && readable.ok();
    proof_.detail = !readable.ok() ? std::string(Message(readable))
                    : status.ok()  ? spool_.SetAsideNotice()
                                   : StrCat("events wait in memory: ", Message(status));
    if (status.ok()) proof_.last_proof_unix_nanos = clock_.WallNanos();
  }

  PartState State() const {
    const std::lock_guard lock(mutex_);
    return proof_;
  }

  uint64_t Losses() const {
    const std::lock_guard lock(mutex_);
    return buffer_.Losses();
  }

 private:
  std::chrono::milliseconds FlushAfter() const {
    const bool unheard =
        unheard_since_.has_value() && SteadyClock::now() - *unheard_since_ > settings_.unheard_after;
    return unheard ? settings_.unheard_flush_after : settings_.flush_after;
  }

  // Holds the caller back for a while; not again while others wait, or after it was in vain, until there is
  // room.
  bool WaitForRoom(std::unique_lock<std::mutex>& lock, v1::EventClass event_class, size_t bytes) {
    if (ended_) return false;
    if (buffer_.HasRoom(event_class, bytes)) {
      gave_up_ = false;
      return true;
    }
    if (gave_up_) return false;
    write_now_ = true;
    wake_.notify_one();
    const bool room = room_.wait_for(lock, settings_.longest_block,
                                     [&] { return ended_ || buffer_.HasRoom(event_class, bytes); });
    gave_up_ = !room;
    return room && !ended_;
  }

  void WriterLoop() {
    std::unique_lock lock(mutex_);
    while (true) {
      WaitForWork(lock);
      if (ended_) return;
      const bool maintain = std::exchange(maintain_, false);
      const uint64_t round = ++rounds_begun_;
      write_now_ = false;
      // What an earlier round could not write keeps its place; nothing is taken beside it.
      if (taken_.empty()) taken_ = buffer_.Take(clock_.WallNanos());
      lock.unlock();
      absl::Status status = taken_.empty() ? MaintainIf(maintain || round_failed_) : spool_.Append(taken_);
      const bool committed = status.ok() && !taken_.empty();
      if (committed) on_committed_();
      lock.lock();
      Finish(lock, round, std::move(status), committed);
    }
  }

  absl::Status MaintainIf(bool maintain) { return maintain ? spool_.Maintain() : absl::OkStatus(); }

  void WaitForWork(std::unique_lock<std::mutex>& lock) {
    while (!ended_ && !write_now_) {
      if (buffer_.Empty() && !maintain_) {
        wake_.wait(lock);
      } else if (wake_.wait_until(lock, write_at_) == std::cv_status::timeout) {
        return;
      }
    }
  }

  void Finish(std::unique_lock<std::mutex>& lock, uint64_t round, absl::Status status, bool committed) {
    last_status_ = std::move(status);
    if (last_status_.ok()) {
      if (committed) {
        if (!unheard_since_.has_value()) unheard_since_ = SteadyClock::now();
        taken_.clear();
        buffer_.Release();
        room_.notify_all();
      }
      if (round_failed_) {
        spdlog::info("spool: writes again");
        // What came meanwhile is still in the buffer; a round that only wrote the old does not answer for it.
        write_now_ = true;
      } else {
        last_good_round_ = round;
      }
      round_failed_ = false;
      retry_after_ = settings_.retry_after;
      written_.notify_all();
      return;
    }
    if (!round_failed_)
      spdlog::error("spool: cannot write, events wait in memory: {}", Message(last_status_));
    round_failed_ = true;
    room_.notify_all();
    // Not woken by events: a full disk is not asked again for each of them.
    retry_.wait_for(lock, retry_after_, [&] { return ended_; });
    retry_after_ = std::min<std::chrono::milliseconds>(retry_after_ * 2, kLongestRetry);
    write_now_ = true;
  }

  Spool& spool_;
  const Clock& clock_;
  const BatcherSettings settings_;
  const std::function<void()> on_committed_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;     // the writer: work
  std::condition_variable retry_;    // the writer: time to try again, or the end
  std::condition_variable room_;     // emitters
  std::condition_variable written_;  // those who flush
  EventBuffer buffer_;
  SteadyClock::time_point write_at_;
  std::optional<SteadyClock::time_point> unheard_since_;  // something is committed and not acknowledged
  bool write_now_ = false;
  bool maintain_ = false;
  bool gave_up_ = false;
  bool ended_ = false;
  uint64_t rounds_begun_ = 0;
  uint64_t last_good_round_ = 0;
  absl::Status last_status_;
  PartState proof_;

  // The writer's own.
  std::vector<EventGroup> taken_;
  bool round_failed_ = false;
  std::chrono::milliseconds retry_after_;

  std::thread writer_;  // last: it uses the rest
};

Batcher::Batcher(Spool& spool, const Clock& clock, BatcherSettings settings,
                 std::function<void()> on_committed)
    : spool_(spool), core_(std::make_unique<Core>(spool, clock, settings, std::move(on_committed))) {}

Batcher::~Batcher() = default;

void Batcher::Emit(v1::EventClass event_class, int64_t time_unix_nanos, v1::Event event) {
  core_->Emit(event_class, Serialise(time_unix_nanos, event));
}

absl::Status Batcher::Flush(std::chrono::milliseconds timeout) {
  return core_->WriteAndWait(timeout, false);
}

absl::Status Batcher::Stop(std::chrono::milliseconds timeout) {
  const absl::Status flushed = Flush(timeout);
  core_->EndThread();
  CORDON_RETURN_IF_ERROR(flushed);
  CORDON_RETURN_IF_ERROR(core_->WriteRest());
  return spool_.CloseCleanly();
}

void Batcher::WakeForMaintenance() {
  core_->WakeForMaintenance();
}

uint64_t Batcher::QueueFullLosses() const {
  return core_->Losses();
}

void Batcher::Prove() {
  core_->Prove();
}

PartState Batcher::State() const {
  return core_->State();
}

}  // namespace cordon::agent
