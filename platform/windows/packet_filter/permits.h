#pragma once

// The parts of a filter list.

#include <vector>

#include "platform/windows/packet_filter/filter_list.h"

namespace cordon::platform::wfp {

// Within the sub-layer, high before low. One action for each, so that the order of equals does not matter.
enum Weight : uint64_t {
  kWeightChannel = 70,    // hard permit: the agent to its controllers
  kWeightResolvers = 60,  // permit: the agent to the host's resolvers
  kWeightLoopback = 50,   // permit
  kWeightDnsShut = 40,    // block: port 53, whatever the profile says
  kWeightUpkeep = 30,     // permit: DHCP, neighbour discovery
  kWeightProfile = 20,    // permit
  kWeightLateral = 10,    // block
  kWeightRest = 1,        // block
};

// IANA's protocol numbers.
inline constexpr uint32_t kIcmp = 1;
inline constexpr uint32_t kTcp = 6;
inline constexpr uint32_t kUdp = 17;
inline constexpr uint32_t kIcmpV6 = 58;

// In each function below `filters` gets what it needs for IPv4 and IPv6.
void AddChannel(const FilterPolicy& policy, const Identities& who, std::vector<Filter>* filters);
void AddResolvers(const std::vector<Endpoint>& resolvers, const Identities& who,
                  std::vector<Filter>* filters);
void AddDns(const DnsRedirect& dns, const Identities& who, std::vector<Filter>* filters);
void AddLoopback(std::vector<Filter>* filters);
void AddUpkeep(std::vector<Filter>* filters);
void AddProfile(const FilterPolicy& policy, const Identities& who, std::vector<Filter>* filters);
void AddLateralBlocks(std::vector<Filter>* filters);
void AddBlockOfTheRest(std::vector<Filter>* filters);

}  // namespace cordon::platform::wfp
