#include "platform/windows/packet_filter/own_identity.h"

#include "platform/windows/packet_filter/wfp_filter.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/service_control.h"

namespace cordon::platform {

std::string OwnSid() {
  const std::string service = ServiceSid(kServiceName);
  return wfp::SidOfAgent(service, TokenHolds(service), TokenHolds(wfp::kSystemSid));
}

std::string WhyNotTheServiceSid() {
  if (OwnSid() == ServiceSid(kServiceName)) return {};
  return "the service's own SID is not in the agent's token (see: sc qsidtype CordonAgent): while isolated, "
         "the way to the controller is bound to the agent's program run by the system's account; the next "
         "start of the service should have it";
}

}  // namespace cordon::platform
