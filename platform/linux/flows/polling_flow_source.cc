#include "platform/linux/flows/polling_flow_source.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/linux/flows/flow_sampler.h"
#include "platform/linux/processes/drain_loop.h"

namespace cordon::platform {

class PollingFlowSource::Impl {
 public:
  explicit Impl(std::chrono::milliseconds interval) : interval_(interval) {}

  absl::Status Start(std::function<void(std::span<RawFlow>)> deliver) {
    deliver_ = std::move(deliver);
    sampler_.emplace();
    return loop_.Start({.fd = -1,
                        .interval = interval_,
                        .begin = [this] { Look(); },
                        .drain = [this] { Look(); },
                        .end = [] {}});
  }
  void Stop() { loop_.Stop(); }
  void Flush() { loop_.Flush(); }

  std::chrono::milliseconds Interval() const { return interval_; }

 private:
  void Look() {
    absl::StatusOr<std::vector<RawFlow>> flows = sampler_->Sample();
    if (!flows.ok()) {
      spdlog::warn("flows: {}", Message(flows.status()));
      return;
    }
    if (!flows->empty()) deliver_(*flows);
  }

  const std::chrono::milliseconds interval_;
  std::function<void(std::span<RawFlow>)> deliver_;
  std::optional<FlowSampler> sampler_;
  DrainLoop loop_;  // last: its thread uses all of the above
};

PollingFlowSource::PollingFlowSource(std::chrono::milliseconds interval)
    : impl_(std::make_unique<Impl>(interval)) {}
PollingFlowSource::~PollingFlowSource() = default;

absl::Status PollingFlowSource::Start(std::function<void(std::span<RawFlow>)> deliver) {
  return impl_->Start(std::move(deliver));
}
void PollingFlowSource::Stop() {
  impl_->Stop();
}
void PollingFlowSource::Flush() {
  impl_->Flush();
}
FlowSourceInfo PollingFlowSource::Info() const {
  const std::string interval =
      FormatDuration(std::chrono::duration_cast<std::chrono::nanoseconds>(impl_->Interval()).count());
  return {
      .name = "polling",
      .fallback = true,
      .limitations = {StrCat("Open sockets are looked at every ", interval,
                             ": flows that are shorter may be missed, and UDP is seen only where a socket "
                             "is connected to its peer.")}};
}

}  // namespace cordon::platform
