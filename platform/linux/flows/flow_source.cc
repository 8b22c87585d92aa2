#include "platform/api/flow_source.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/base/status.h"
#include "platform/linux/flows/ebpf_flow_source.h"
#include "platform/linux/flows/polling_flow_source.h"

namespace cordon::platform {
namespace {

// eBPF when it can be started here, else polling.
class BestFlowSource final : public FlowSource {
 public:
  absl::Status Start(std::function<void(std::span<RawFlow>)> deliver) override {
    auto best = std::make_unique<EbpfFlowSource>();
    const absl::Status no_ebpf = best->Start(deliver);
    if (no_ebpf.ok()) {
      chosen_ = std::move(best);
      return absl::OkStatus();
    }
    spdlog::warn("{}; polling instead", Message(no_ebpf));
    auto fallback = std::make_unique<PollingFlowSource>();
    CORDON_RETURN_IF_ERROR(fallback->Start(std::move(deliver)));
    chosen_ = std::move(fallback);
    reason_ = Message(no_ebpf);
    return absl::OkStatus();
  }

  void Stop() override {
    if (chosen_ != nullptr) chosen_->Stop();
  }
  void Flush() override {
    if (chosen_ != nullptr) chosen_->Flush();
  }
  uint64_t Lost() const override { return chosen_ == nullptr ? 0 : chosen_->Lost(); }

  FlowSourceInfo Info() const override {
    if (chosen_ == nullptr) return {.name = "none", .fallback = false, .limitations = {"It is not started."}};
    FlowSourceInfo info = chosen_->Info();
    if (!reason_.empty()) info.limitations.push_back(StrCat("In use because of: ", reason_, "."));
    return info;
  }

 private:
  std::unique_ptr<FlowSource> chosen_;
  std::string reason_;
};

}  // namespace

std::unique_ptr<FlowSource> MakeFlowSource() {
  return std::make_unique<BestFlowSource>();
}

std::unique_ptr<FlowSource> MakeFlowSource(std::string_view name) {
  if (name == "ebpf") return std::make_unique<EbpfFlowSource>();
  if (name == "polling") return std::make_unique<PollingFlowSource>();
  return nullptr;
}

}  // namespace cordon::platform
