#pragma once

// Facts about the machine and this process.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace cordon::platform {

// The system's clocks.
std::unique_ptr<Clock> MakeSystemClock();

struct SystemFacts {
  std::string host_name;
  std::string os;                      // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;                  // "6.1.0-18-amd64"
  std::string architecture;            // "x86_64"
  std::string boot_id;                 // UUID, new at every boot
  std::string machine_id_sha256;       // hex; empty when the system has none
  std::vector<std::string> addresses;  // of all interfaces but loopback
};
SystemFacts ReadSystemFacts();

struct OwnResourceUse {
  uint64_t resident_bytes = 0;
  int64_t cpu_nanos = 0;
};
OwnResourceUse ReadOwnResourceUse();

// For a program that runs for months beside somebody's work: rather a little slower than larger. To be called
// before other threads start.
void KeepMemorySmall();

// Gives memory that is free within this process back to the system: what a burst needed. Takes a millisecond
// or so.
void ReleaseFreeMemory();

// Lets go of the resident pages of programs and libraries; those that are used come back at their next use,
// from memory. For after the start, which runs through megabytes of code that nothing needs again.
void ReleaseUnusedCode();

// Raises the number of files and connections that this process may have open to what the system allows it;
// returns the number that holds now, 0 when it cannot be told.
uint64_t RaiseOpenFileLimit();

// Lowest CPU and I/O class for the calling thread, for scans with default manners.
absl::Status LowerThreadPriority();

// Tells the service manager: ready, stopping, a line of status. No-ops without one.
void NotifyServiceReady();
void NotifyServiceStopping();
void NotifyServiceStatus(const std::string& line);

// Calls `stop` once, on its own thread, when the system asks the process to end (SIGTERM, SIGINT | SCM stop,
// Ctrl-C). To be called before other threads start. The returned handle ends the watching.
std::unique_ptr<void, void (*)(void*)> OnStopRequest(std::function<void()> stop);

}  // namespace cordon::platform
