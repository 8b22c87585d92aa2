#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

// Sees to it that the host takes what a policy lets it take by itself (Isolation::TakeByItself), also where a
// full disk or the kernel refuses it at first: ransomware fills disks. Tried at once and with every Tick,
// until it is taken, as long as it would have lasted. A newer order ends that, as it ends what is taken.
// On the agent loop only.
class SelfIsolator {
 public:
  struct Parts {
    const Clock& clock;
    std::function<absl::Status(const v1::SelfIsolation& allowed, const std::string& cause)> take;
    std::function<v1::LaneState()> lane;  // Isolation::Lane
    // A sentence for people, once for each Begin that fails.
    std::function<void(const std::string& what)> on_failure;
  };

  explicit SelfIsolator(Parts parts) : parts_(std::move(parts)) {}

  // In the place of one that is still tried.
  void Begin(const v1::SelfIsolation& allowed, const std::string& cause);

  // Call about every second.
  void Tick();

 private:
  struct Waiting {
    v1::SelfIsolation allowed;
    std::string cause;
    v1::LaneState lane;  // at the beginning
    int64_t until_boot_nanos = 0;
  };
  bool OrderCame() const;
  void GiveUp(const std::string& why);

  const Parts parts_;
  std::optional<Waiting> waiting_;
};

}  // namespace cordon::agent
