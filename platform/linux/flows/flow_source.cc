#include "platform/api/flow_source.h"

#include <memory>

#include "platform/linux/flows/ebpf_flow_source.h"
#include "platform/linux/flows/polling_flow_source.h"
#include "platform/shared/best_source.h"

namespace cordon::platform {
namespace {

class BestFlowSource final : public BestSource<FlowSource, RawFlow, FlowSourceInfo> {
 public:
  using BestSource::BestSource;
  uint64_t Lost() const override { return Chosen() == nullptr ? 0 : Chosen()->Lost(); }
};

}  // namespace

std::unique_ptr<FlowSource> MakeFlowSource() {
  return std::make_unique<BestFlowSource>(std::make_unique<EbpfFlowSource>(),
                                          std::make_unique<PollingFlowSource>());
}

std::unique_ptr<FlowSource> MakeFlowSource(std::string_view name) {
  if (name == "ebpf") return std::make_unique<EbpfFlowSource>();
  if (name == "polling") return std::make_unique<PollingFlowSource>();
  return nullptr;
}

}  // namespace cordon::platform
