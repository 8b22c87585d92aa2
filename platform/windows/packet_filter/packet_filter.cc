// What the agent sees of WFP.

#include "platform/api/packet_filter.h"

#include <spdlog/spdlog.h>

#include "platform/api/places.h"
#include "platform/api/ruleset_watcher.h"
#include "platform/api/system.h"
#include "platform/windows/packet_filter/filter_watcher.h"
#include "platform/windows/packet_filter/own_identity.h"
#include "platform/windows/packet_filter/wfp_filter.h"

namespace cordon::platform {

std::unique_ptr<PacketFilter> MakePacketFilter() {
  const std::string without = WhyNotTheServiceSid();
  if (!without.empty()) spdlog::warn("{}", without);
  return wfp::MakeWfpFilter(
      wfp::OpenFilterEngine,
      {.executable = DefaultPlaces().executable, .service_sid = OwnSid(), .note = without});
}

std::unique_ptr<RulesetWatcher> MakeRulesetWatcher() {
  return wfp::MakeFilterWatcher(wfp::OpenFilterEngine, MakeSystemClock());
}

}  // namespace cordon::platform
