#pragma once

// Who changes the packet filter, as it happens (ISO-6).

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cordon::platform {

// One transaction of somebody else on the packet filter, or news that some may have been missed.
struct RulesetChange {
  uint32_t pid = 0;          // of the process; 0 = not told
  std::string process_name;  // as the system shortens it; not a proof of anything
  std::string executable;    // looked up at once; empty when the process was gone already
  int64_t boot_nanos = 0;    // when it was told, on the boot-time clock
  bool of_cordon = false;    // it named a table of Cordon's
  bool missed = false;       // notifications were lost: nothing else is known
  friend bool operator==(const RulesetChange&, const RulesetChange&) = default;
};

// Calls `changed` on its own thread after transactions on the packet filter that this process did not make; a
// burst is folded into one call with its changes in order, at most kMostTold of them and then one that is
// `missed`. What this process changes itself is not told, where the system says who it was; elsewhere it is,
// and a read-back shows that nothing is wrong. From the return of Start to the return of Stop. Works in the
// network namespace of the thread that calls Start.
class RulesetWatcher {
 public:
  static constexpr size_t kMostTold = 256;

  virtual ~RulesetWatcher() = default;
  virtual absl::Status Start(std::function<void(std::vector<RulesetChange>)> changed) = 0;
  virtual void Stop() = 0;
};

std::unique_ptr<RulesetWatcher> MakeRulesetWatcher();

}  // namespace cordon::platform
