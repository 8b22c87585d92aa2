#include "tests/support/traffic.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "tests/support/frame.h"
#include "tests/support/socket_address.h"

namespace cordon::testing {
namespace {

using platform::Fd;
using std::chrono::milliseconds;

using Address = SocketAddress;

Address Make(const std::string& text, uint16_t port) {
  return MakeSocketAddress(text, port);
}

// A socket stays in the namespace in which it was made.
Fd Socket(const NetNamespace& in, int family, int type, int protocol = 0) {
  const InNetNamespace inside(in);
  Fd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.Valid()) throw std::runtime_error("cannot make a socket");
  const int one = 1;
  if (type != SOCK_RAW) setsockopt(fd.Get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  return fd;
}

void Bind(const Fd& fd, const Address& address) {
  if (bind(fd.Get(), address.Get(), address.size) != 0) throw std::runtime_error("cannot bind");
}

void Mark(const Fd& fd, uint32_t mark) {
  if (mark != 0 && setsockopt(fd.Get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) {
    throw std::runtime_error("cannot mark a socket");
  }
}

bool Readable(const Fd& fd, milliseconds patience) {
  pollfd wait{fd.Get(), POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(patience.count())) == 1 && (wait.revents & POLLIN) != 0;
}

Fd Receiver(const Destination& to) {
  const Address address = Make(to.address, to.port);
  Fd fd = Socket(to.at, address.Family(), SOCK_DGRAM);
  Bind(fd, address);
  return fd;
}

uint16_t Checksum(const void* data, size_t bytes) {
  const auto* at = static_cast<const uint8_t*>(data);
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes; ++i) sum += (i % 2 == 0) ? static_cast<uint32_t>(at[i]) << 8 : at[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

}  // namespace

bool UdpArrives(const NetNamespace& from, const Destination& to, milliseconds patience, uint16_t source_port,
                uint32_t mark) {
  const Fd receiver = Receiver(to);
  const Address address = Make(to.address, to.port);
  const Fd sender = Socket(from, address.Family(), SOCK_DGRAM);
  Mark(sender, mark);
  if (source_port != 0) Bind(sender, Make(address.Family() == AF_INET ? "0.0.0.0" : "::", source_port));
  sendto(sender.Get(), "packet", 6, 0, address.Get(), address.size);  // a refusal shows as nothing arriving
  return Readable(receiver, patience);
}

bool TcpArrives(const NetNamespace& from, const Destination& to, milliseconds patience, uint32_t mark) {
  const Address address = Make(to.address, to.port);
  const Fd listener = Socket(to.at, address.Family(), SOCK_STREAM);
  Bind(listener, address);
  listen(listener.Get(), 1);
  const Fd client = Socket(from, address.Family(), SOCK_STREAM);
  Mark(client, mark);
  if (connect(client.Get(), address.Get(), address.size) != 0 && errno != EINPROGRESS) return false;
  return Readable(listener, patience);
}

bool EchoReturns(const NetNamespace& from, const Destination& to, milliseconds patience) {
  const Address address = Make(to.address, 0);
  const bool v6 = address.Family() == AF_INET6;
  const Fd fd = Socket(from, address.Family(), SOCK_RAW, v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
  if (v6) {  // the answer only: neighbour discovery comes by here too
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    setsockopt(fd.Get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
  }
  std::array<uint8_t, 8> request{};
  request[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  request[5] = 7;
  if (!v6) {
    const uint16_t sum = Checksum(request.data(), request.size());
    std::memcpy(&request[2], &sum, sizeof(sum));
  }
  sendto(fd.Get(), request.data(), request.size(), 0, address.Get(), address.size);
  return Readable(fd, patience);
}

bool FrameArrives(const NetNamespace& from, const Frame& frame, const Destination& to,
                  milliseconds patience) {
  const Fd receiver = Receiver(to);
  const Fd sender = Socket(from, AF_PACKET, SOCK_RAW, 0);
  const int one = 1;
  if (frame.bypass_qdisc &&
      setsockopt(sender.Get(), SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) != 0) {
    throw std::runtime_error("cannot bypass the qdisc");
  }
  const bool v6 = to.address.find(':') != std::string::npos;
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP);
  {
    const InNetNamespace inside(from);
    link.sll_ifindex = static_cast<int>(if_nametoindex(frame.interface.c_str()));
  }
  const Bytes bytes = UdpFrame({.from = frame.source, .to = to.address}, 40'000, to.port);
  sendto(sender.Get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&link), sizeof(link));
  return Readable(receiver, patience);
}

Established::Established(const NetNamespace& from, const Destination& to, uint32_t mark) {
  const Address address = Make(to.address, to.port);
  const Fd listener = Socket(to.at, address.Family(), SOCK_STREAM);
  Bind(listener, address);
  listen(listener.Get(), 1);
  opened_ = Socket(from, address.Family(), SOCK_STREAM);
  Mark(opened_, mark);
  const int started = connect(opened_.Get(), address.Get(), address.size);
  if ((started != 0 && errno != EINPROGRESS) || !Readable(listener, kExpectArrival)) {
    throw std::runtime_error("cannot connect to " + to.address);
  }
  accepted_ = Fd(accept4(listener.Get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

bool Established::Reaches(bool towards_destination, milliseconds patience) {
  const Fd& writer = towards_destination ? opened_ : accepted_;
  const Fd& reader = towards_destination ? accepted_ : opened_;
  if (send(writer.Get(), "x", 1, MSG_NOSIGNAL) != 1 || !Readable(reader, patience)) return false;
  char byte = 0;
  return recv(reader.Get(), &byte, 1, 0) == 1;
}

bool Established::EndIsDead(bool destination_end) const {
  pollfd wait{(destination_end ? accepted_ : opened_).Get(), POLLIN, 0};
  return poll(&wait, 1, 0) == 1 && (wait.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace cordon::testing
