#pragma once

// What every stream of the server has in common: one write at a time, a bounded queue before it, one end.

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "controller/server/caller.h"
#include "controller/server/live_streams.h"

namespace cordon::controller {

inline size_t SizeOf(const google::protobuf::MessageLite& message) {
  return message.ByteSizeLong();
}
inline size_t SizeOf(const grpc::ByteBuffer& message) {
  return message.Length();
}

// Reactor is grpc::ServerWriteReactor<Response> or grpc::ServerBidiReactor<Request, Response>. Made by
// std::make_shared and added to LiveStreams, which keeps it until gRPC is done; other threads may hold it for
// longer, all calls are harmless then.
template <typename Reactor, typename Response>
class OutStream : public Reactor, public LiveStream {
 public:
  static constexpr size_t kMaxQueued = 4'096;
  static constexpr size_t kAhead = 256;
  static constexpr size_t kAheadBytes = 8 * 1024 * 1024;
  static constexpr std::chrono::minutes kReaderPatience{5};
  // A write that hangs for this long after EndNow is cut off.
  static constexpr int64_t kPatienceNanos = 2 * kNanosPerSecond;

  // `host_id` is empty for an operator's stream.
  OutStream(grpc::CallbackServerContext& context, LiveStreams& streams, std::string host_id = {})
      : context_(context),
        streams_(streams),
        host_id_(std::move(host_id)),
        certificate_end_(CertificateEndOf(context)) {}

  // Run when gRPC is done with the stream, whatever becomes of it. To be set before it starts.
  void WhenDone(std::function<void()> when_done) { when_done_ = std::move(when_done); }

  const std::string& HostId() const final { return host_id_; }
  int64_t CertificateEnd() const final { return certificate_end_; }

  // Queues a message. False when the stream has ended; a peer that leaves kMaxQueued messages unread is
  // ended.
  bool Send(std::shared_ptr<const Response> message) {
    const std::lock_guard lock(mutex_);
    if (end_) return false;
    if (queue_.size() >= kMaxQueued) {
      EndNowLocked({grpc::StatusCode::RESOURCE_EXHAUSTED, "the peer does not read what it is sent"});
      return false;
    }
    QueueLocked(std::move(message));
    return true;
  }
  bool Send(Response message) { return Send(std::make_shared<const Response>(std::move(message))); }

  // Waits while kAhead messages or kAheadBytes are unwritten, then queues this one: for long answers, from a
  // thread that may wait. False when the stream has ended; a reader that takes nothing for kReaderPatience is
  // ended.
  bool SendWhenRoom(Response message) {
    std::unique_lock lock(mutex_);
    const auto room = [this] { return queue_.size() < kAhead && queued_bytes_ < kAheadBytes; };
    if (!changed_.wait_for(lock, kReaderPatience, [&] { return end_ || room(); })) {
      EndNowLocked({grpc::StatusCode::RESOURCE_EXHAUSTED, "the peer has read nothing for five minutes"});
    }
    if (end_) return false;
    QueueLocked(std::make_shared<const Response>(std::move(message)));
    return true;
  }

  // Ends the stream after what is queued has been written. Nothing can be queued from now on.
  void End(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = status;
    PumpLocked();
  }

  void EndNow(const grpc::Status& status) final {
    const std::lock_guard lock(mutex_);
    EndNowLocked(status);
  }

  void Tick(int64_t now_boot_nanos) final {
    {
      const std::lock_guard lock(mutex_);
      if (cut_ && !finished_) {
        if (cut_since_ == 0) cut_since_ = now_boot_nanos;
        if (now_boot_nanos - cut_since_ > kPatienceNanos) context_.TryCancel();
      }
      if (end_) return;
    }
    OnTick(now_boot_nanos);
  }

 protected:
  // The queue has been written to its end. From a gRPC thread: does not block.
  virtual void OnDrained() {}
  virtual void OnTick(int64_t /*now_boot_nanos*/) {}
  // gRPC is done with the stream; nothing of `context` may be touched any more. Called once.
  virtual void OnEnded() {}

  // Runs `start` (a StartRead) unless the stream has finished.
  template <typename Start>
  void IfOpen(Start start) {
    const std::lock_guard lock(mutex_);
    if (!finished_) start();
  }

  // It has an end, by whichever side: nobody waits for more.
  bool Ended() {
    const std::lock_guard lock(mutex_);
    return end_.has_value();
  }

  // Waits until `ready`, which runs under the stream's lock; false when the stream ends first.
  template <typename Ready>
  bool WaitUntil(Ready ready) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return end_ || ready(); });
    return !end_;
  }
  // Runs `change` under the stream's lock and wakes WaitUntil.
  template <typename Change>
  void Wake(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

 private:
  void OnWriteDone(bool ok) final {
    bool drained = false;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      queued_bytes_ -= queue_.front().bytes;
      queue_.pop_front();
      changed_.notify_all();
      if (!ok) EndNowLocked({grpc::StatusCode::CANCELLED, "the connection is gone"});
      drained = queue_.empty() && !end_;
      PumpLocked();
    }
    if (drained) OnDrained();
  }

  void OnCancel() final { EndNow({grpc::StatusCode::CANCELLED, "the peer hung up"}); }

  void OnDone() final {
    OnEnded();
    if (when_done_) when_done_();
    streams_.Remove(this);  // may destroy this
  }

  void EndNowLocked(const grpc::Status& status) {
    if (!end_) end_ = status;
    cut_ = true;
    changed_.notify_all();
    while (queue_.size() > (writing_ ? 1U : 0U)) {
      queued_bytes_ -= queue_.back().bytes;
      queue_.pop_back();
    }
    PumpLocked();
  }

  void QueueLocked(std::shared_ptr<const Response> message) {
    const size_t bytes = SizeOf(*message);
    queued_bytes_ += bytes;
    queue_.push_back({std::move(message), bytes});
    PumpLocked();
  }

  void PumpLocked() {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(queue_.front().message.get());
    } else if (end_) {
      finished_ = true;
      this->Finish(*end_);
    }
  }

  grpc::CallbackServerContext& context_;
  LiveStreams& streams_;
  const std::string host_id_;
  const int64_t certificate_end_;
  std::function<void()> when_done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  struct Queued {
    std::shared_ptr<const Response> message;
    size_t bytes;
  };
  std::deque<Queued> queue_;  // the front one is being written while writing_
  size_t queued_bytes_ = 0;   // of all in it
  bool writing_ = false;
  bool finished_ = false;  // Finish was called
  bool cut_ = false;       // by EndNow
  int64_t cut_since_ = 0;
  std::optional<grpc::Status> end_;
};

}  // namespace cordon::controller
