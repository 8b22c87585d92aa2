#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace cordon::ctl {

// Somebody asks the program to end (Ctrl-C) while it waits for a stream that has no end. Thread-safe.
class Interrupt {
 public:
  // Ends the call that runs now, if any, and every one after it.
  void Ask() {
    const std::lock_guard lock(mutex_);
    asked_ = true;
    if (call_ != nullptr) call_->TryCancel();
    changed_.notify_all();
  }

  bool Asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  // True: asked for within this time.
  bool WaitFor(std::chrono::nanoseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return asked_; });
  }

  // A call that Ask ends, for as long as this lives.
  class Watched {
   public:
    // `interrupt` may be null: nothing ends it then.
    Watched(Interrupt* interrupt, grpc::ClientContext& context) : interrupt_(interrupt) {
      if (interrupt_ == nullptr) return;
      const std::lock_guard lock(interrupt_->mutex_);
      interrupt_->call_ = &context;
      if (interrupt_->asked_) context.TryCancel();
    }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() {
      if (interrupt_ == nullptr) return;
      const std::lock_guard lock(interrupt_->mutex_);
      interrupt_->call_ = nullptr;
    }

   private:
    Interrupt* const interrupt_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  grpc::ClientContext* call_ = nullptr;
};

}  // namespace cordon::ctl
