#include "platform/linux/flows/udp_payload.h"

#include <cstddef>
#include <cstdint>

namespace cordon::platform {
namespace {

constexpr uint8_t kUdp = 17;
constexpr size_t kUdpHead = 8;

uint8_t ByteAt(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}
size_t NumberAt(std::string_view bytes, size_t at) {
  return size_t{ByteAt(bytes, at)} << 8 | ByteAt(bytes, at + 1);
}

// Where the UDP header begins; 0 when there is none.
size_t UdpOffset(std::string_view packet) {
  if (packet.empty()) return 0;
  const int version = ByteAt(packet, 0) >> 4;
  if (version == 4) {
    const size_t head = size_t{4} * (ByteAt(packet, 0) & 0x0F);
    if (head < 20 || packet.size() < head || ByteAt(packet, 9) != kUdp) return 0;
    const bool fragment = (NumberAt(packet, 6) & 0x3FFF) != 0;
    return fragment ? 0 : head;
  }
  constexpr size_t kV6Head = 40;
  if (version != 6 || packet.size() < kV6Head || ByteAt(packet, 6) != kUdp) return 0;
  return kV6Head;
}

}  // namespace

std::optional<std::string_view> UdpPayload(std::string_view packet) {
  const size_t udp = UdpOffset(packet);
  if (udp == 0 || packet.size() < udp + kUdpHead) return std::nullopt;
  const size_t size = NumberAt(packet, udp + 4);
  if (size < kUdpHead || packet.size() < udp + size) return std::nullopt;
  return packet.substr(udp + kUdpHead, size - kUdpHead);
}

}  // namespace cordon::platform
