#include "platform/linux/flows/flow_decode.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "platform/linux/flows/flow_record.h"

namespace cordon::platform {
namespace {

boost::asio::ip::address AddressOf(const uint8_t (&bytes)[16], bool v6) {
  if (!v6) {
    boost::asio::ip::address_v4::bytes_type v4;
    std::copy_n(bytes, v4.size(), v4.begin());
    return boost::asio::ip::address_v4(v4);
  }
  boost::asio::ip::address_v6::bytes_type all;
  std::copy_n(bytes, all.size(), all.begin());
  return boost::asio::ip::address_v6(all);
}

}  // namespace

std::optional<RawFlow> DecodeFlow(std::span<const char> bytes, uint32_t agent_mark) {
  cordon_flow raw;
  if (bytes.size() != sizeof(raw)) return std::nullopt;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  if (raw.direction != CORDON_FLOW_OUT && raw.direction != CORDON_FLOW_IN) return std::nullopt;
  if (raw.protocol != CORDON_FLOW_TCP && raw.protocol != CORDON_FLOW_UDP) return std::nullopt;
  RawFlow flow;
  flow.boottime_nanos = static_cast<int64_t>(raw.boottime);
  flow.pid = raw.pid;
  flow.times = raw.times;
  flow.flow.direction = raw.direction == CORDON_FLOW_OUT ? FlowDirection::kOut : FlowDirection::kIn;
  flow.flow.protocol = raw.protocol == CORDON_FLOW_TCP ? FlowProtocol::kTcp : FlowProtocol::kUdp;
  flow.flow.local = {AddressOf(raw.local, raw.v6 != 0), raw.local_port};
  flow.flow.remote = {AddressOf(raw.remote, raw.v6 != 0), raw.remote_port};
  flow.flow.agent_owned = raw.mark == agent_mark;
  return flow;
}

}  // namespace cordon::platform
