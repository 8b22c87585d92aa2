#pragma once

#include <string>

namespace cordon::platform {

// The SID by which filters know this process (wfp::SidOfAgent).
std::string OwnSid();

// Why that is not the service's; empty when it is.
std::string WhyNotTheServiceSid();

}  // namespace cordon::platform
