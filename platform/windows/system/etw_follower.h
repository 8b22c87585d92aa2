#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "platform/windows/system/etw.h"

namespace cordon::platform {

// Follows a trace session on a thread of its own. Whoever may, ends sessions of others (logman stop): then a
// new one is opened until one stands. Thread-safe.
class EtwFollower {
 public:
  // All are called on the follower's thread.
  struct Calls {
    std::function<void(const EVENT_RECORD&)> event;
    std::function<void()> buffer;      // after each buffer
    std::function<void()> begun_anew;  // nobody knows what happened while there was no session
  };

  ~EtwFollower() { Stop(); }

  // No other follower of this process may have a session of the same name.
  absl::Status Start(EtwAsk ask, Calls calls);
  void Stop();  // returns after the last call

  // The session hands over what it has recorded, soon.
  void Hurry();
  // Returns when a buffer has been handed over since the call, or after a moment. Buffers are handed over in
  // order.
  void Flush();
  // As EtwSession.
  std::optional<uint64_t> Lost() { return session_.Lost(); }
  // A session stands.
  bool Follows() const;

 private:
  absl::Status Open();
  void Work();
  bool StopsWithin(std::chrono::seconds wait);
  void SetFollows(bool follows);
  bool OpenAgain();
  void TakeBuffer();

  EtwAsk ask_;
  Calls calls_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t buffers_ = 0;  // guarded by mutex_, as the next two
  bool stopped_ = true;
  bool follows_ = false;
  std::mutex session_mutex_;  // of opening, closing and flushing; taken before mutex_
  EtwSession session_;
  std::thread thread_;
};

}  // namespace cordon::platform
