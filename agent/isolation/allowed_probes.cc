#include "agent/isolation/allowed_probes.h"

#include <algorithm>
#include <optional>

#include "agent/isolation/evaluate.h"
#include "common/base/strings.h"
#include "platform/api/program_marks.h"

namespace cordon::agent {
namespace {

using boost::asio::ip::address;
using platform::FilterPolicy;
using platform::FilterRule;
using platform::FlowDirection;
using platform::FlowProtocol;

constexpr uint16_t kAnyPort = 9;  // of a rule that opens all

// The address that is tried for a network: the documentation's, which nobody has, if it is one of its own;
// or else the first one.
address Within(const Network& network) {
  static const address kNobody4 = boost::asio::ip::make_address("192.0.2.254");
  static const address kNobody6 = boost::asio::ip::make_address("2001:db8::fffe");
  const address& nobody = network.IsV6() ? kNobody6 : kNobody4;
  if (network.prefix_length >= (network.IsV6() ? 127 : 31)) return network.address;
  if (network.Contains(nobody)) return nobody;
  if (!network.IsV6()) return boost::asio::ip::address_v4(network.address.to_v4().to_uint() + 1);
  boost::asio::ip::address_v6::bytes_type bytes = network.address.to_v6().to_bytes();
  bytes.back() |= 1;
  return boost::asio::ip::address_v6(bytes);
}

const std::vector<address>& AddressesOfNames(const FilterPolicy& policy, const FilterRule& rule) {
  static const std::vector<address> kNone;
  const bool named = rule.name_set.has_value() && *rule.name_set < policy.name_sets.size();
  return named ? policy.name_sets[*rule.name_set].addresses : kNone;
}

size_t DestinationsOf(const FilterPolicy& policy, const FilterRule& rule) {
  if (rule.direction == FlowDirection::kIn) return 0;
  return rule.networks.size() + AddressesOfNames(policy, rule).size();
}

AllowedProbe ProbeAt(const FilterPolicy& policy, size_t rule_at, size_t place, uint64_t round) {
  const FilterRule& rule = policy.allow[rule_at];
  AllowedProbe probe{.rule = rule_at, .packet = {.protocol = rule.protocol, .target = {}}};
  probe.packet.target.address = place < rule.networks.size()
                                    ? Within(rule.networks[place])
                                    : AddressesOfNames(policy, rule)[place - rule.networks.size()];
  if (rule.protocol != FlowProtocol::kIcmpEcho)
    probe.packet.target.port = rule.ports.empty() ? kAnyPort : rule.ports[round % rule.ports.size()].first;
  if (rule.program.has_value() && *rule.program < policy.programs.size())
    probe.packet.program_tag = platform::ProgramTag(policy.programs[*rule.program]);
  return probe;
}

// One host, that a socket without a scope reaches.
bool IsOneHost(const address& to) {
  if (to.is_multicast() || to.is_unspecified()) return false;
  if (to.is_v6()) return !to.to_v6().is_link_local();
  return to.to_v4() != boost::asio::ip::address_v4::broadcast();
}

}  // namespace

bool IsAllowed(const FilterPolicy& policy, const AllowedProbe& probe) {
  platform::Connection flow;
  flow.protocol = probe.packet.protocol;
  flow.remote = probe.packet.target;
  flow.program_tag = probe.packet.program_tag;
  return Judge(policy, flow).reason == VerdictReason::kRule;
}

AllowedPlan PlanAllowed(const FilterPolicy& policy, uint64_t turn, size_t most) {
  AllowedPlan plan{.probes = {}, .next_turn = turn};
  size_t total = 0;
  for (const FilterRule& rule : policy.allow) total += DestinationsOf(policy, rule);
  if (total == 0) return plan;
  const size_t count = std::min(total, most);
  plan.next_turn += count;
  size_t first = 0;  // the number of the rule's first destination
  for (size_t at = 0; at < policy.allow.size(); ++at) {
    const size_t of_rule = DestinationsOf(policy, policy.allow[at]);
    for (uint64_t number = turn; number < turn + count; ++number) {
      const size_t place = number % total;
      if (place < first || place >= first + of_rule) continue;
      AllowedProbe probe = ProbeAt(policy, at, place - first, number / total);
      if (IsOneHost(probe.packet.target.address) && IsAllowed(policy, probe))
        plan.probes.push_back(std::move(probe));
    }
    first += of_rule;
  }
  return plan;
}

std::string NameOf(const AllowedPacket& packet) {
  const char* const protocol = packet.protocol == FlowProtocol::kTcp   ? "tcp"
                               : packet.protocol == FlowProtocol::kUdp ? "udp"
                                                                       : "icmp";
  return StrCat(protocol, packet.target.address.is_v6() ? "6" : "4", " allowed");
}

}  // namespace cordon::agent
