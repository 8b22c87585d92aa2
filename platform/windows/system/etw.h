#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "platform/windows/system/windows.h"

namespace cordon::platform {

// A trace session of the kernel's system provider, read as it happens. One thread calls Process; the others
// may call the rest.
class EtwSession {
 public:
  EtwSession() = default;
  EtwSession(const EtwSession&) = delete;
  EtwSession& operator=(const EtwSession&) = delete;
  ~EtwSession() { Close(); }

  // Starts the session, in the place of one of the same name that was left behind. `event` is called for each
  // event and `buffer` after each buffer, on the thread that calls Process.
  absl::Status Open(const std::wstring& name, unsigned long kernel_flags,
                    std::function<void(const EVENT_RECORD&)> event, std::function<void()> buffer);
  void Process();  // returns after Close
  void Close();    // idempotent
  void Flush();
  uint64_t Lost();  // events, since Open

 private:
  std::vector<char> MakeProperties() const;
  static void WINAPI OnEvent(EVENT_RECORD* record);
  static unsigned long WINAPI OnBuffer(EVENT_TRACE_LOGFILEW* file);

  std::wstring name_;
  std::function<void(const EVENT_RECORD&)> event_;
  std::function<void()> buffer_;
  TRACEHANDLE session_ = 0;
  TRACEHANDLE reader_ = INVALID_PROCESSTRACE_HANDLE;
};

}  // namespace cordon::platform
