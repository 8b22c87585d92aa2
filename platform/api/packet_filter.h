#pragma once

// What isolation needs of an operating system's packet filter. Desired state crosses this border:
// Apply(policy) is idempotent and atomic, ReadBack tells what the kernel holds, and neither needs memory of
// earlier calls.

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
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

// One allowed kind of flow; `networks` never empty, `ports` empty = all. Ports are those of the accepting
// side.
struct FilterRule {
  FlowDirection direction = FlowDirection::kOut;
  FlowProtocol protocol = FlowProtocol::kTcp;
  std::vector<Network> networks;
  std::vector<PortRange> ports;
  friend bool operator==(const FilterRule&, const FilterRule&) = default;
};

// All that decides about a packet. Equal policies give equal rulesets.
struct FilterPolicy {
  Level level = Level::kObserve;
  std::vector<FilterRule> allow;  // for kNoLateral (exceptions) and kEssential
  std::vector<Endpoint>
      controllers;  // reachable by the agent's own sockets (tagged, see socket_tag.h) and no others
  friend bool operator==(const FilterPolicy&, const FilterPolicy&) = default;
};

struct FilterReadback {
  // The kernel's rules equal the intended ones by content, on every uplink that exists now.
  bool matches = false;
  // What differs, one sentence each, for an operator. Empty when `matches`.
  std::vector<std::string> differences;
  // Nothing of Cordon's is in the kernel.
  bool absent = false;
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

  // Compares the kernel's rules with those that Apply(intended) would make (ISO-7).
  virtual absl::StatusOr<FilterReadback> ReadBack(const FilterPolicy& intended) = 0;

  // The text that Apply(policy) would load now: for the saved ruleset of the boot unit, and for people.
  virtual absl::StatusOr<std::string> Describe(const FilterPolicy& policy) = 0;
};

// The native one, chosen at link time.
std::unique_ptr<PacketFilter> MakePacketFilter();

}  // namespace cordon::platform
