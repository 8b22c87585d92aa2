#include "tests/support/frame.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <stdexcept>

namespace cordon::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Bytes AddressBytes(const std::string& text) {
  std::array<char, 16> raw{};
  if (inet_pton(AF_INET, text.c_str(), raw.data()) == 1) return {raw.data(), 4};
  if (inet_pton(AF_INET6, text.c_str(), raw.data()) == 1) return {raw.data(), 16};
  throw std::runtime_error("not an address: " + text);
}

uint16_t Sum(const Bytes& data) {
  uint32_t sum = 0;
  for (size_t at = 0; at < data.size(); ++at) {
    const auto byte = static_cast<uint8_t>(data[at]);
    sum += at % 2 == 0 ? static_cast<uint32_t>(byte) << 8 : byte;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// `segment` with the checksum that TCP, UDP and ICMPv6 share, put at `offset`.
Bytes WithChecksum(const Ip& ip, uint8_t protocol, Bytes segment, size_t offset) {
  const Bytes pseudo = AddressBytes(ip.from) + AddressBytes(ip.to) +
                       Be32(static_cast<uint32_t>(segment.size())) + Be32(protocol);
  const Bytes sum = Be16(Sum(pseudo + segment));
  return segment.replace(offset, 2, sum);
}

platform::Fd PacketSocket(const NetNamespace& inside, uint16_t protocol) {
  const InNetNamespace guard(inside);
  platform::Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(protocol)));
  if (!fd.Valid()) throw std::runtime_error("no packet socket");
  return fd;
}

int IndexOf(const NetNamespace& inside, const std::string& interface) {
  const InNetNamespace guard(inside);
  return static_cast<int>(if_nametoindex(interface.c_str()));
}

// Reads packets until one of them is `wanted`, or time is up.
bool ReadUntil(const platform::Fd& fd, milliseconds patience,
               const std::function<bool(const Bytes&)>& wanted) {
  const auto deadline = steady_clock::now() + patience;
  std::array<char, 2048> buffer{};
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    pollfd wait{fd.Get(), POLLIN, 0};
    if (left.count() < 0 || poll(&wait, 1, static_cast<int>(left.count())) != 1) return false;
    const ssize_t size = recv(fd.Get(), buffer.data(), buffer.size(), 0);
    if (size > 0 && wanted(Bytes(buffer.data(), static_cast<size_t>(size)))) return true;
  }
}

}  // namespace

Bytes Be16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}
Bytes Be32(uint32_t value) {
  return Be16(static_cast<uint16_t>(value >> 16)) + Be16(static_cast<uint16_t>(value & 0xffff));
}

Bytes Ethernet(uint16_t type, const Bytes& payload) {
  return Bytes(6, '\xff') + Bytes("\x02\0\0\0\0\x07", 6) + Be16(type) + payload;
}

Bytes IpFrame(const Ip& ip, uint8_t protocol, const Bytes& payload, uint16_t v4_fragment) {
  const Bytes from = AddressBytes(ip.from);
  const Bytes to = AddressBytes(ip.to);
  const auto hops = static_cast<char>(ip.hops);
  if (from.size() == 16) {
    return Ethernet(ETHERTYPE_IPV6, Be32(0x60000000) + Be16(static_cast<uint16_t>(payload.size())) +
                                        static_cast<char>(protocol) + hops + from + to + payload);
  }
  Bytes header = Bytes("\x45\0", 2) + Be16(static_cast<uint16_t>(20 + payload.size())) + Be16(7) +
                 Be16(v4_fragment) + hops + static_cast<char>(protocol) + Be16(0) + from + to;
  header.replace(10, 2, Be16(Sum(header)));
  return Ethernet(ETHERTYPE_IP, header + payload);
}

Bytes UdpFrame(const Ip& ip, uint16_t from_port, uint16_t to_port, const Bytes& payload) {
  const Bytes segment =
      Be16(from_port) + Be16(to_port) + Be16(static_cast<uint16_t>(8 + payload.size())) + Be16(0) + payload;
  return IpFrame(ip, IPPROTO_UDP, WithChecksum(ip, IPPROTO_UDP, segment, 6));
}

Bytes TcpFrame(const Ip& ip, uint16_t from_port, uint16_t to_port, uint8_t flags) {
  const Bytes segment = Be16(from_port) + Be16(to_port) + Be32(1) + Be32(1) + '\x50' +
                        static_cast<char>(flags) + Be16(1024) + Be16(0) + Be16(0);
  return IpFrame(ip, IPPROTO_TCP, WithChecksum(ip, IPPROTO_TCP, segment, 16));
}

Bytes Icmp6Frame(const Ip& ip, uint8_t type, const Bytes& body) {
  const Bytes message = Bytes(1, static_cast<char>(type)) + '\0' + Be16(0) + body;
  return IpFrame(ip, IPPROTO_ICMPV6, WithChecksum(ip, IPPROTO_ICMPV6, message, 2));
}

FrameSender::FrameSender(const NetNamespace& inside, const std::string& interface)
    : fd_(PacketSocket(inside, 0)), index_(IndexOf(inside, interface)) {}

void FrameSender::Send(const Bytes& frame) const {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = index_;
  to.sll_halen = ETH_ALEN;
  sendto(fd_.Get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
}

FrameCatcher::FrameCatcher(const NetNamespace& inside, const std::string& interface)
    : fd_(PacketSocket(inside, ETH_P_ALL)) {
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = IndexOf(inside, interface);
  if (bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0) {
    throw std::runtime_error("cannot listen on " + interface);
  }
}

bool FrameCatcher::Catches(const Bytes& frame, milliseconds patience) const {
  return ReadUntil(fd_, patience,
                   [&](const Bytes& caught) { return caught.substr(0, frame.size()) == frame; });
}

RawReceiver::RawReceiver(const NetNamespace& inside, bool v6, uint8_t protocol) {
  const InNetNamespace guard(inside);
  fd_ = platform::Fd(socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd_.Valid()) throw std::runtime_error("no raw socket");
}

bool RawReceiver::Receives(const Bytes& payload, milliseconds patience) const {
  return ReadUntil(fd_, patience, [&](const Bytes& got) { return got.ends_with(payload); });
}

}  // namespace cordon::testing
