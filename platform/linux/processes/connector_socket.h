#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/clock.h"
#include "platform/api/process_source.h"
#include "platform/linux/processes/connector_decode.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {

// What a change by the connector does not tell, a sentence for ProcessSourceInfo.
inline constexpr char kConnectorChangesLimits[] =
    "Of changes of privileges, those of capabilities alone are not seen, and what a set-user-ID program "
    "gives "
    "is told like a change by a system call.";

// kUserId, kGroupId or kTrace as a fact, with start times 0.
RawProcessFact ChangeOf(const ConnectorEvent& event);

// A subscription to the kernel's process connector. One thread.
class ConnectorSocket {
 public:
  enum class Wanted : uint8_t {
    kAll,
    kChanges,  // of user and group, and tracers: the kernel drops all else before it is queued
  };
  // Events come from now on. UNAVAILABLE or PERMISSION_DENIED, saying what is missing.
  static absl::StatusOr<ConnectorSocket> Open(Wanted wanted);

  int Descriptor() const { return socket_.Get(); }

  // Hands over all that is there, in order, with the time since boot. `lost`: the kernel had to drop some.
  void Read(const std::function<void(const ConnectorEvent&, int64_t boottime_nanos)>& take,
            const std::function<void(const RawLoss&)>& lost);

 private:
  explicit ConnectorSocket(Fd socket);

  std::unique_ptr<Clock> clock_;
  Fd socket_;
  int64_t last_read_ = 0;
  std::array<char, 8192> buffer_{};
};

}  // namespace cordon::platform
