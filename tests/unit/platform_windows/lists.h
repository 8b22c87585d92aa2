#pragma once

#include <string>
#include <utility>
#include <vector>

#include "platform/windows/packet_filter/arbitration.h"
#include "platform/windows/packet_filter/filter_list.h"

namespace cordon::platform::wfp {

inline const std::string kAgent = R"(\device\harddiskvolume3\program files\cordon\cordon-agent.exe)";
inline const std::string kAgentService = "S-1-5-80-1";
inline const std::string kOther = R"(\device\harddiskvolume3\windows\explorer.exe)";

// The programs of testing::ClinicPolicy.
inline const std::string kImaging = R"(\device\harddiskvolume3\imaging\store.exe)";
inline const std::string kPing = R"(\device\harddiskvolume3\windows\system32\ping.exe)";

inline Identities Who() {
  return {.agent_program = kAgent, .agent_service = kAgentService, .programs = {kImaging, kPing}};
}

inline Sublayer OurSublayer(const FilterPolicy& policy) {
  return {.name = "Cordon", .weight = 0xffff, .filters = MakeFilterList(policy, Who())};
}

inline Endpoint At(const char* address, uint16_t port) {
  return {.address = boost::asio::ip::make_address(address), .port = port};
}

}  // namespace cordon::platform::wfp
