// What this system has no means for, or has them and they are not used yet; docs/known-issues.md names each.

#include "platform/api/dns_observer.h"
#include "platform/api/flow_source.h"
#include "platform/api/leak_counter.h"

namespace cordon::platform {
namespace {

class NoDnsObserver final : public DnsObserver {
 public:
  absl::Status Start(std::function<void(std::string_view)> /*deliver*/) override {
    return absl::UnimplementedError("on Windows DNS answers are not overheard: names of flows are not known");
  }
  void Stop() override {}
};

class NoFlowSource final : public FlowSource {
 public:
  absl::Status Start(std::function<void(std::span<RawFlow>)> /*deliver*/) override {
    return absl::UnimplementedError(
        "on Windows flows are not recorded yet: a rehearsal sees what is open now");
  }
  void Stop() override {}
  void Flush() override {}
  uint64_t Lost() const override { return 0; }
  FlowSourceInfo Info() const override {
    return {.name = "none", .fallback = true, .limitations = {"Flows are not recorded on Windows yet."}};
  }
};

// WFP counts no packets by filter for user programs.
class NoLeakCounter final : public LeakCounter {
 public:
  absl::Status Follow(const FilterPolicy& policy) override {
    if (policy.level == Level::kObserve) return absl::OkStatus();
    return absl::UnimplementedError(
        "on Windows packets that passed while rules were changed cannot be counted");
  }
  absl::StatusOr<uint64_t> Take(const FilterPolicy& /*policy*/) override {
    return absl::FailedPreconditionError(
        "on Windows packets that passed while rules were changed cannot be counted");
  }
};

}  // namespace

std::unique_ptr<DnsObserver> MakeDnsObserver() {
  return std::make_unique<NoDnsObserver>();
}
std::unique_ptr<FlowSource> MakeFlowSource() {
  return std::make_unique<NoFlowSource>();
}
std::unique_ptr<FlowSource> MakeFlowSource(std::string_view /*name*/) {
  return nullptr;
}
absl::StatusOr<std::unique_ptr<OwnTraffic>> MakeOwnTraffic() {
  return absl::UnimplementedError("on Windows flows are not recorded yet, so none are made to prove it");
}
std::unique_ptr<LeakCounter> MakeLeakCounter() {
  return std::make_unique<NoLeakCounter>();
}

}  // namespace cordon::platform
