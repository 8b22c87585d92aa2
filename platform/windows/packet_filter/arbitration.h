#pragma once

// WFP's own rules of decision, as Microsoft documents them ("Filter Arbitration"), for judging filter lists
// where there is no WFP:
//   - within a sub-layer the matching filter of the highest weight decides;
//   - sub-layers are asked from the highest weight down, all of them;
//   - a block is final for those below it, and so is a hard permit; a permit is not;
//   - where nothing matches, the packet passes.
// Not modelled: callouts, which may veto a hard permit. What this model says was never compared with a real
// filtering engine (docs/known-issues.md); scripts/windows-verify.ps1 is for that.

#include <optional>
#include <string>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"
#include "platform/windows/packet_filter/filter.h"

namespace cordon::platform::wfp {

struct Sublayer {
  std::string name;
  uint16_t weight = 0;
  std::vector<Filter> filters;
};

// When it is: filters of one lifetime count.
enum class Phase : uint8_t { kBeforeEngine, kEngineRuns };

struct Packet {
  FlowDirection way = FlowDirection::kOut;     // of this packet
  FlowDirection opened = FlowDirection::kOut;  // its flow, by this host or by the peer
  uint32_t protocol = 6;
  Endpoint local;   // of ICMP: the port is the type; forwarded: where it comes from
  Endpoint remote;  // forwarded: where it goes to
  bool loopback = false;
  bool forwarded = false;
  std::string program;  // NT path, lower case
  std::string service;  // SID of the service it runs as; empty for none
};

// The layers that are asked for a packet; it passes when each of them lets it.
std::vector<Layer> LayersOf(const Packet& packet);

bool Matches(const Filter& filter, const Packet& packet);

struct LayerVerdict {
  bool passes = true;
  bool certain = true;             // false: a callout or an unknown condition had a say
  const Filter* filter = nullptr;  // that decided; none: nothing matched
  const Sublayer* sublayer = nullptr;
};

// `sublayers` in any order; of equal weight: in the order given, as WFP does not say which comes first.
LayerVerdict JudgeLayer(const std::vector<Sublayer>& sublayers, Layer layer, Phase phase,
                        const Packet& packet);

// The first layer that stops the packet, else the last one asked.
LayerVerdict Judge(const std::vector<Sublayer>& sublayers, Phase phase, const Packet& packet);

}  // namespace cordon::platform::wfp
