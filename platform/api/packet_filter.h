#pragma once

// What isolation needs of an operating system's packet filter. Desired state crosses this border:
// Apply(policy) is idempotent and atomic, ReadBack tells what the kernel holds, and neither needs memory of
// earlier calls.

#include <absl/status/statusor.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/network.h"

namespace cordon::platform {

// Ordered: a higher level never allows more than a lower one. Same numbers as cordon.v1.Level.
enum class Level : uint8_t { kObserve = 1, kNoLateral = 2, kEssential = 3, kControllerOnly = 4, kDark = 5 };

enum class FlowDirection : uint8_t { kOut = 1, kIn = 2, kBoth = 3 };
enum class FlowProtocol : uint8_t { kTcp = 1, kUdp = 2, kIcmpEcho = 3 };

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

// One allowed kind of flow. Peers are `networks` and the addresses of `name_set`, at least one of the two;
// `ports` empty = all. Ports are those of the accepting side.
struct FilterRule {
  FlowDirection direction = FlowDirection::kOut;
  FlowProtocol protocol = FlowProtocol::kTcp;
  std::vector<Network> networks;
  std::vector<PortRange> ports;
  std::optional<size_t> name_set;  // place in FilterPolicy::name_sets
  std::optional<size_t> program;   // place in FilterPolicy::programs: only that program's sockets match
  friend bool operator==(const FilterRule&, const FilterRule&) = default;
};

// What the names of a rule stand for now; sorted, without repeats. May be empty.
struct NameSet {
  std::vector<boost::asio::ip::address> addresses;
  friend bool operator==(const NameSet&, const NameSet&) = default;
};

// A program whose sockets may be allowed what others are not.
struct ProgramIdentity {
  std::string path;    // absolute
  std::string sha256;  // 32 bytes, or empty: whatever stands at `path`
  friend bool operator==(const ProgramIdentity&, const ProgramIdentity&) = default;
};

// While it is set, what programs of this host send to port 53 reaches the guard on this port of loopback, or
// nothing (Windows: dns_client.h turns them there); only the agent's own sockets reach the resolvers.
struct DnsRedirect {
  uint16_t guard_port = 0;
  std::vector<Endpoint> resolvers;
  friend bool operator==(const DnsRedirect&, const DnsRedirect&) = default;
};

// All that decides about a packet. Equal policies give equal rulesets.
struct FilterPolicy {
  Level level = Level::kObserve;
  std::vector<FilterRule> allow;  // for kNoLateral (exceptions) and kEssential
  std::vector<Endpoint>
      controllers;  // reachable by the agent's own sockets (tagged, see socket_tag.h) and no others
  std::vector<NameSet> name_sets;
  std::vector<ProgramIdentity> programs;
  std::optional<DnsRedirect> dns;
  // Where nothing is turned to a guard and port 53 is shut: DNS servers that the agent's own sockets reach
  // all the same, to look the controllers' names up.
  std::vector<Endpoint> resolvers = {};
  friend bool operator==(const FilterPolicy&, const FilterPolicy&) = default;
};

struct FilterReadback {
  // The kernel's rules equal the intended ones by content, on every uplink that exists now.
  bool matches = false;
  // What differs, one sentence each, for an operator. Empty when `matches`.
  std::vector<std::string> differences;
  // No rule of Cordon's judges packets.
  bool absent = false;
  // What an operator should know of the rules and what is no leak, one sentence each: a permit that is bound
  // less closely than it could be, a rule that opens nothing.
  std::vector<std::string> notes;
  // Interfaces whose own hooks hold the policy.
  std::vector<std::string> uplinks;
  // Packets dropped since the policy was applied.
  uint64_t dropped_packets = 0;
  // Over the canonical text of the intended rules: 32 bytes.
  std::string ruleset_sha256;
};

// Not thread-safe. Needs the right to change the packet filter (CAP_NET_ADMIN); PERMISSION_DENIED without.
// Works in the network namespace of the calling thread at construction.
class PacketFilter {
 public:
  virtual ~PacketFilter() = default;

  // One transaction from whatever stands to `policy`, on every uplink that exists now (ISO-1, ISO-3).
  // kObserve removes all of Cordon's rules and nothing else. On an error nothing has changed. What it leaves
  // in the kernel stays when the process dies (ISO-5).
  virtual absl::Status Apply(const FilterPolicy& policy) = 0;

  // Does ahead what of Apply(policy) changes no verdict, so that Apply takes less time. Nothing has to
  // follow: Tidy deletes what it left. Whatever fails here, Apply meets again and tells.
  virtual void Prepare(const FilterPolicy& /*policy*/) {}

  // Deletes what the last changes have left standing unused, so that packets which were on their way kept
  // their rules. Changes no verdict; nothing happens when there is nothing to do. Call it from time to time;
  // Apply and ReadBack do not depend on it.
  virtual absl::Status Tidy() = 0;

  // The addresses of `policy.name_sets` in one small transaction, where Apply(policy with other addresses) is
  // in force; rules stay as they are. When this returns OK, packets to new addresses pass.
  // FAILED_PRECONDITION when the kernel holds other sets: Apply puts that right.
  virtual absl::Status UpdateNames(const FilterPolicy& policy) = 0;

  // Compares the kernel's rules with those that Apply(intended) would make (ISO-7). UNIMPLEMENTED where the
  // system has no packet filter at all: nothing stands, and nothing can.
  virtual absl::StatusOr<FilterReadback> ReadBack(const FilterPolicy& intended) = 0;

  // The text that Apply(policy) would load now: for the saved ruleset of the boot unit, and for people.
  virtual absl::StatusOr<std::string> Describe(const FilterPolicy& policy) = 0;
};

// The native one, chosen at link time.
std::unique_ptr<PacketFilter> MakePacketFilter();

}  // namespace cordon::platform
