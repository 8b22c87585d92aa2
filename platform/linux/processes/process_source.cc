#include "platform/api/process_source.h"

#include <memory>

#include "platform/linux/processes/connector_source.h"
#include "platform/linux/processes/ebpf_source.h"
#include "platform/shared/best_source.h"

namespace cordon::platform {
namespace {

using BestProcessSource = BestSource<ProcessSource, RawProcessEvent, ProcessSourceInfo>;

}  // namespace

std::unique_ptr<ProcessSource> MakeProcessSource() {
  return std::make_unique<BestProcessSource>(std::make_unique<EbpfProcessSource>(),
                                             std::make_unique<ConnectorProcessSource>());
}

std::unique_ptr<ProcessSource> MakeProcessSource(std::string_view name) {
  if (name == "best") return MakeProcessSource();
  if (name == "ebpf") return std::make_unique<EbpfProcessSource>();
  if (name == "proc-connector") return std::make_unique<ConnectorProcessSource>();
  return nullptr;
}

}  // namespace cordon::platform
