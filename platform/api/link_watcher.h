#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cordon::platform {

// Calls `changed` on its own thread whenever an interface appears, disappears, or moves; bursts may be folded
// into one call. From the return of Start to the return of Stop.
class LinkWatcher {
 public:
  virtual ~LinkWatcher() = default;
  virtual absl::Status Start(std::function<void()> changed) = 0;
  virtual void Stop() = 0;

  // Interfaces with a way out of their own that were moved into another network namespace since Start and
  // have not come back under their name: what is sent there is not held (ISO-3, ISO-7). Sorted. Up to date: a
  // move that was done before the call is in the answer. Thread-safe.
  virtual std::vector<std::string> MovedAway() = 0;
};

std::unique_ptr<LinkWatcher> MakeLinkWatcher();

}  // namespace cordon::platform
