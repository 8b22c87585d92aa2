#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/windows/system/windows.h"

namespace cordon::platform {

// A provider that describes its events in a manifest, and what is wanted of it.
struct EtwProvider {
  GUID id{};
  uint64_t keywords = 0;            // any of them
  std::vector<uint16_t> event_ids;  // the kernel drops the others before they are recorded; at most 64
};

struct EtwAsk {
  std::wstring name;                      // of the session
  unsigned long kernel_flags = 0;         // EVENT_TRACE_FLAG_*, of the kernel's system provider
  std::optional<EtwProvider> provider{};  // or this one
};

// A trace session, read as it happens. One thread calls Process; the others may call the rest.
class EtwSession {
 public:
  EtwSession() = default;
  EtwSession(const EtwSession&) = delete;
  EtwSession& operator=(const EtwSession&) = delete;
  ~EtwSession() { Close(); }

  // Starts the session, in the place of one of the same name that was left behind. `event` is called for each
  // event and `buffer` after each buffer, on the thread that calls Process.
  absl::Status Open(const EtwAsk& ask, std::function<void(const EVENT_RECORD&)> event,
                    std::function<void()> buffer);
  // Ends a session that an agent left behind.
  static void End(const std::wstring& name);
  void Process();  // returns after Close
  void Close();    // idempotent
  void Flush();
  // Events, since Open. Nothing when the session does not answer.
  std::optional<uint64_t> Lost();

 private:
  absl::Status Enable(const EtwProvider& provider);
  static void WINAPI OnEvent(EVENT_RECORD* record);
  static unsigned long WINAPI OnBuffer(EVENT_TRACE_LOGFILEW* file);

  std::wstring name_;
  std::function<void(const EVENT_RECORD&)> event_;
  std::function<void()> buffer_;
  std::atomic<TRACEHANDLE> session_ = 0;
  TRACEHANDLE reader_ = INVALID_PROCESSTRACE_HANDLE;
};

}  // namespace cordon::platform
