#include "platform/windows/packet_filter/arbitration.h"

#include <algorithm>
#include <bitset>
#include <functional>

namespace cordon::platform::wfp {
namespace {

bool InNetwork(const Condition& condition, const boost::asio::ip::address& address) {
  const auto* const network = std::get_if<Network>(&condition.value);
  return network != nullptr && network->Contains(address);
}

bool InPorts(const Condition& condition, uint16_t port) {
  const auto* const ports = std::get_if<PortRange>(&condition.value);
  return ports != nullptr && ports->first <= port && port <= ports->last;
}

bool IsText(const Condition& condition, const std::string& text) {
  const auto* const value = std::get_if<std::string>(&condition.value);
  return value != nullptr && *value == text;
}

bool Holds(const Condition& condition, const Packet& packet) {
  const auto* const number = std::get_if<uint32_t>(&condition.value);
  const uint32_t flags = packet.loopback ? kFlagLoopback : 0;
  switch (condition.field) {
    case Field::kFlags:
      return number != nullptr && (flags & *number) == *number;
    case Field::kProtocol:
      return number != nullptr && packet.protocol == *number;
    case Field::kRemoteAddress:
    case Field::kDestinationAddress:
      return InNetwork(condition, packet.remote.address);
    case Field::kSourceAddress:
      return InNetwork(condition, packet.local.address);
    case Field::kLocalPort:
      return InPorts(condition, packet.local.port);
    case Field::kRemotePort:
      return InPorts(condition, packet.remote.port);
    case Field::kProgram:
      return IsText(condition, packet.program);
    case Field::kService:
      return IsText(condition, packet.service);
    case Field::kUnknown:
      return false;
  }
  return false;
}

constexpr size_t kFields = static_cast<size_t>(Field::kUnknown) + 1;

bool CountsIn(const Filter& filter, Phase phase) {
  return (filter.lifetime == Lifetime::kBootTime) == (phase == Phase::kBeforeEngine);
}

bool IsUncertain(const Filter& filter) {
  return filter.action == Action::kUnknown ||
         std::ranges::any_of(filter.conditions,
                             [](const Condition& each) { return each.field == Field::kUnknown; });
}

struct SublayerVerdict {
  const Filter* filter = nullptr;
  bool certain = true;
};

SublayerVerdict JudgeSublayer(const Sublayer& sublayer, Layer layer, Phase phase, const Packet& packet) {
  SublayerVerdict verdict;
  for (const Filter& filter : sublayer.filters) {
    if (filter.layer != layer || !CountsIn(filter, phase)) continue;
    if (IsUncertain(filter)) verdict.certain = false;
    if (filter.action == Action::kUnknown || !Matches(filter, packet)) continue;
    if (verdict.filter == nullptr || filter.weight > verdict.filter->weight) verdict.filter = &filter;
  }
  return verdict;
}

}  // namespace

std::vector<Layer> LayersOf(const Packet& packet) {
  const bool v6 = packet.remote.address.is_v6();
  if (packet.forwarded) return {{Stage::kForward, v6}};
  return {{packet.opened == FlowDirection::kOut ? Stage::kConnect : Stage::kAccept, v6},
          {packet.way == FlowDirection::kOut ? Stage::kOutTransport : Stage::kInTransport, v6}};
}

bool Matches(const Filter& filter, const Packet& packet) {
  std::bitset<kFields> asked;
  std::bitset<kFields> held;
  for (const Condition& condition : filter.conditions) {
    const auto field = static_cast<size_t>(condition.field);
    asked.set(field);
    if (!held.test(field) && Holds(condition, packet)) held.set(field);
  }
  return asked == held;
}

LayerVerdict JudgeLayer(const std::vector<Sublayer>& sublayers, Layer layer, Phase phase,
                        const Packet& packet) {
  std::vector<const Sublayer*> order;
  order.reserve(sublayers.size());
  for (const Sublayer& sublayer : sublayers) order.push_back(&sublayer);
  std::ranges::stable_sort(order, std::greater<>(), &Sublayer::weight);
  LayerVerdict verdict;
  for (const Sublayer* const sublayer : order) {
    const SublayerVerdict one = JudgeSublayer(*sublayer, layer, phase, packet);
    verdict.certain = verdict.certain && one.certain;
    if (one.filter == nullptr) continue;
    verdict.filter = one.filter;
    verdict.sublayer = sublayer;
    verdict.passes = one.filter->action != Action::kBlock;
    if (one.filter->action != Action::kPermit) break;  // final for those below
  }
  return verdict;
}

LayerVerdict Judge(const std::vector<Sublayer>& sublayers, Phase phase, const Packet& packet) {
  LayerVerdict verdict;
  for (const Layer layer : LayersOf(packet)) {
    verdict = JudgeLayer(sublayers, layer, phase, packet);
    if (!verdict.passes) return verdict;
  }
  return verdict;
}

}  // namespace cordon::platform::wfp
