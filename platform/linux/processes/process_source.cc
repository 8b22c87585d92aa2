#include "platform/api/process_source.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/base/status.h"
#include "platform/linux/processes/connector_source.h"
#include "platform/linux/processes/ebpf_source.h"

namespace cordon::platform {
namespace {

// eBPF when it can be started here, else the process connector.
class BestProcessSource final : public ProcessSource {
 public:
  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) override {
    auto best = std::make_unique<EbpfProcessSource>();
    const absl::Status no_ebpf = best->Start(deliver);
    if (no_ebpf.ok()) {
      chosen_ = std::move(best);
      return absl::OkStatus();
    }
    spdlog::warn("{}; trying the process connector", Message(no_ebpf));
    auto fallback = std::make_unique<ConnectorProcessSource>();
    const absl::Status no_connector = fallback->Start(std::move(deliver));
    if (!no_connector.ok()) {
      return absl::Status(no_ebpf.code(), StrCat(Message(no_ebpf), "; and ", Message(no_connector)));
    }
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

  ProcessSourceInfo Info() const override {
    if (chosen_ == nullptr) return {.name = "none", .fallback = false, .limitations = {"It is not started."}};
    ProcessSourceInfo info = chosen_->Info();
    if (!reason_.empty()) info.limitations.push_back(StrCat("In use because of: ", reason_, "."));
    return info;
  }

 private:
  std::unique_ptr<ProcessSource> chosen_;
  std::string reason_;
};

}  // namespace

std::unique_ptr<ProcessSource> MakeProcessSource() {
  return std::make_unique<BestProcessSource>();
}

std::unique_ptr<ProcessSource> MakeProcessSource(std::string_view name) {
  if (name == "best") return MakeProcessSource();
  if (name == "ebpf") return std::make_unique<EbpfProcessSource>();
  if (name == "proc-connector") return std::make_unique<ConnectorProcessSource>();
  return nullptr;
}

}  // namespace cordon::platform
