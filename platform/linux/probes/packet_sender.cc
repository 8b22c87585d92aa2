#include "platform/api/packet_sender.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "platform/linux/probes/frames.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* Get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress AddressOf(const Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    v4.sin_addr.s_addr = htonl(endpoint.address.to_v4().to_uint());
    address.size = sizeof(v4);
    std::memcpy(&address.storage, &v4, sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    const auto bytes = endpoint.address.to_v6().to_bytes();
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    address.size = sizeof(v6);
    std::memcpy(&address.storage, &v6, sizeof(v6));
  }
  return address;
}

int FamilyOf(const Endpoint& endpoint) {
  return endpoint.address.is_v4() ? AF_INET : AF_INET6;
}

Fd Socket(int family, int type, int protocol) {
  return Fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

// The hooks of the IP stack refuse with EPERM, those of an interface with ENOBUFS; the latter is told only to
// sockets that ask for errors.
SendOutcome OutcomeOf(ssize_t sent) {
  if (sent >= 0) return SendOutcome::kSent;
  return errno == EPERM || errno == EACCES || errno == ENOBUFS ? SendOutcome::kBlocked
                                                               : SendOutcome::kNotPossible;
}

void AskForErrors(const Fd& fd, int family) {
  const int on = 1;
  setsockopt(fd.Get(), family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
             family == AF_INET ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on));
}

boost::asio::ip::address FromSockaddr(const sockaddr& from) {
  if (from.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof(v4));
    return boost::asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &from, sizeof(v6));
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

// The address that the host would send from; nothing when there is no route.
bool SourceFor(const Endpoint& to, boost::asio::ip::address* source) {
  const Fd fd = Socket(FamilyOf(to), SOCK_DGRAM, 0);
  const SocketAddress address = AddressOf(to);
  SocketAddress own;
  own.size = sizeof(own.storage);
  if (!fd.Valid() || connect(fd.Get(), address.Get(), address.size) != 0 ||
      getsockname(fd.Get(), reinterpret_cast<sockaddr*>(&own.storage), &own.size) != 0) {
    return false;
  }
  *source = FromSockaddr(*reinterpret_cast<const sockaddr*>(&own.storage));
  return true;
}

constexpr uint16_t kSourcePort = 40'009;

int ProtocolNumber(FlowProtocol protocol, int family) {
  switch (protocol) {
    case FlowProtocol::kTcp:
      return IPPROTO_TCP;
    case FlowProtocol::kUdp:
      return IPPROTO_UDP;
    case FlowProtocol::kIcmpEcho:
      break;
  }
  return family == AF_INET ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
}

// Whether the interface that has the address has a line. What drops for want of one looks like its hook.
bool HasLine(const boost::asio::ip::address& source) {
  constexpr unsigned kLowerUp = 1U << 16U;  // IFF_LOWER_UP, which <net/if.h> lacks
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return false;
  bool has = false;
  for (const ifaddrs* at = all; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != (source.is_v4() ? AF_INET : AF_INET6)) continue;
    if (FromSockaddr(*at->ifa_addr) == source) has = has || (at->ifa_flags & kLowerUp) != 0;
  }
  freeifaddrs(all);
  return has;
}

// What stands after the IP header, by a raw socket.
ssize_t SendRaw(const Fd& fd, const std::string& bytes, const boost::asio::ip::address& to) {
  const SocketAddress address = AddressOf({.address = to, .port = 0});  // IPv6 takes no port there
  return sendto(fd.Get(), bytes.data(), bytes.size(), 0, address.Get(), address.size);
}

class LinuxPacketSender final : public PacketSender {
 public:
  SendOutcome Udp(const Endpoint& to) override {
    const Fd fd = Socket(FamilyOf(to), SOCK_DGRAM, 0);
    if (!fd.Valid()) return SendOutcome::kNotPossible;
    AskForErrors(fd, FamilyOf(to));
    const SocketAddress address = AddressOf(to);
    return OutcomeOf(sendto(fd.Get(), "cordon", 6, 0, address.Get(), address.size));
  }

  SendOutcome TcpSyn(const Endpoint& to) override {
    boost::asio::ip::address source;
    const Fd fd = Socket(FamilyOf(to), SOCK_RAW, IPPROTO_TCP);
    if (!fd.Valid() || !SourceFor(to, &source)) return SendOutcome::kNotPossible;
    AskForErrors(fd, FamilyOf(to));
    return OutcomeOf(SendRaw(fd, MakeSyn(source, kSourcePort, to), to.address));
  }

  SendOutcome Dud(FlowProtocol protocol, const Endpoint& to, uint32_t mark) override {
    boost::asio::ip::address source;
    const int family = FamilyOf(to);
    const Fd fd = Socket(family, SOCK_RAW, ProtocolNumber(protocol, family));
    if (!fd.Valid() || !SourceFor(to, &source)) return SendOutcome::kNotPossible;
    if (mark != 0 && setsockopt(fd.Get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
      return SendOutcome::kNotPossible;
    AskForErrors(fd, family);
    const ssize_t sent = SendRaw(fd, MakeDud(protocol, source, kSourcePort, to), to.address);
    if (sent >= 0) return SendOutcome::kSent;
    // EACCES is a broadcast address or a route that prohibits: no rule.
    const bool blocked = errno == EPERM || (errno == ENOBUFS && HasLine(source));
    return blocked ? SendOutcome::kBlocked : SendOutcome::kNotPossible;
  }

  SendOutcome Frame(const std::string& interface, const Endpoint& to) override {
    const Fd fd = Socket(AF_PACKET, SOCK_RAW, 0);
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_protocol = htons(ETH_P_IP);
    link.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (!fd.Valid() || link.sll_ifindex == 0 || !to.address.is_v4()) return SendOutcome::kNotPossible;
    constexpr uint32_t kSource = 0xc00002fd;  // 192.0.2.253, nobody's
    const std::string frame = MakeUdpFrame(boost::asio::ip::address_v4(kSource), to);
    return OutcomeOf(sendto(fd.Get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&link),
                            sizeof(link)));
  }
};

}  // namespace

std::unique_ptr<PacketSender> MakePacketSender() {
  return std::make_unique<LinuxPacketSender>();
}

}  // namespace cordon::platform
