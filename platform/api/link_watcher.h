#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>

namespace cordon::platform {

// Calls `changed` on its own thread whenever an interface appears, disappears, or moves; bursts may be folded
// into one call. From the return of Start to the return of Stop.
class LinkWatcher {
 public:
  virtual ~LinkWatcher() = default;
  virtual absl::Status Start(std::function<void()> changed) = 0;
  virtual void Stop() = 0;
};

std::unique_ptr<LinkWatcher> MakeLinkWatcher();

}  // namespace cordon::platform
