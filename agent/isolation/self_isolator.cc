#include "agent/isolation/self_isolator.h"

#include <spdlog/spdlog.h>

#include "common/base/status.h"

namespace cordon::agent {
namespace {

bool IsTaken(const absl::Status& status) {
  return status.ok() || absl::IsAlreadyExists(status);
}

// Whether the same may succeed later.
bool Passes(const absl::Status& status) {
  return !absl::IsInvalidArgument(status) && !absl::IsUnimplemented(status) &&
         !absl::IsFailedPrecondition(status);
}

int64_t LengthOf(const v1::Lease& lease) {
  return lease.length().seconds() * kNanosPerSecond + lease.length().nanos();
}

}  // namespace

void SelfIsolator::Begin(const v1::SelfIsolation& allowed, const std::string& cause) {
  waiting_.reset();
  const absl::Status taken = parts_.take(allowed, cause);
  if (IsTaken(taken)) return;
  const bool again = Passes(taken);
  if (again) {
    waiting_ = Waiting{.allowed = allowed,
                       .cause = cause,
                       .lane = parts_.lane(),
                       .until_boot_nanos = parts_.clock.BootNanos() + LengthOf(allowed.lease())};
  }
  parts_.on_failure(StrCat("not isolated by itself after a ", cause, ": ", Message(taken),
                           again ? "; it is tried again by itself" : ""));
}

// A state that was lost, or is read again, has another sequence and is no order.
bool SelfIsolator::OrderCame() const {
  const v1::LaneState now = parts_.lane();
  return now.sequence() > waiting_->lane.sequence() && now.order_id() != waiting_->lane.order_id();
}

void SelfIsolator::GiveUp(const std::string& why) {
  spdlog::warn("isolation by itself after a {} is not tried again: {}", waiting_->cause, why);
  waiting_.reset();
}

void SelfIsolator::Tick() {
  if (!waiting_.has_value()) return;
  if (OrderCame()) return GiveUp("an order came");
  if (parts_.clock.BootNanos() >= waiting_->until_boot_nanos) return GiveUp("its time has passed");
  const absl::Status taken = parts_.take(waiting_->allowed, waiting_->cause);
  if (IsTaken(taken)) return waiting_.reset();
  if (!Passes(taken)) GiveUp(std::string(Message(taken)));
}

}  // namespace cordon::agent
