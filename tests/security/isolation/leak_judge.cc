#include "tests/security/isolation/leak_judge.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <tuple>

#include "common/base/strings.h"
#include "tests/support/frame.h"
#include "tests/support/socket_address.h"

namespace cordon::testing {
namespace {

using platform::Fd;

constexpr uint16_t kNetbios = 137;  // lateral: closed from no-lateral on
constexpr uint16_t kDns = 53;
constexpr std::string_view kMark = "cordon-leak";
constexpr std::string_view kPumpMark = "cordon-pump";

Fd Open(const NetNamespace& in, int family, int type, int protocol = 0) {
  const InNetNamespace inside(in);
  Fd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.Valid()) throw std::runtime_error("cannot make a socket");
  return fd;
}

bool IsV6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

Fd Receiver(const NetNamespace& in, int family) {
  Fd fd = Open(in, family, SOCK_DGRAM);
  const int on = 1;
  if (family == AF_INET6) setsockopt(fd.Get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(kNetbios);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(kNetbios);
  const int bound = family == AF_INET ? bind(fd.Get(), reinterpret_cast<sockaddr*>(&v4), sizeof(v4))
                                      : bind(fd.Get(), reinterpret_cast<sockaddr*>(&v6), sizeof(v6));
  if (bound != 0) throw std::runtime_error("cannot bind");
  return fd;
}

// The word "cordon-leak ROUND WAY;" in what was received.
void TakeWord(std::string_view bytes, const std::string& round, std::set<std::string>* arrived) {
  const std::string head = StrCat(kMark, " ", round, " ");
  const size_t at = bytes.find(head);
  if (at == std::string_view::npos) return;
  const std::string_view rest = bytes.substr(at + head.size());
  arrived->insert(std::string(rest.substr(0, rest.find(';'))));
}

}  // namespace

LeakJudge::LeakJudge(const Lab& lab) : lab_(lab) {
  for (const auto& [name, from, v4, v6] : {std::tuple("udp", &lab.host, "10.9.0.2", "fd09::2"),
                                           std::tuple("container", &lab.container, "10.9.0.2", "fd09::2"),
                                           std::tuple("bridged", &lab.bridged, "10.7.0.2", "fd07::2"),
                                           std::tuple("macvlan", &lab.guest, "10.9.0.2", "fd09::2")}) {
    AddWay(StrCat(name, "4 out"), *from, v4, kNetbios);
    AddWay(StrCat(name, "6 out"), *from, v6, kNetbios);
  }
  AddWay("loopback out", lab.host, "127.0.0.1", kNetbios);
  AddWay("other program out", lab.host, "10.9.0.2", kPortOfAProgram);
  AddWay("unlisted4 out", lab.host, "10.9.0.2", kPortOfAName);
  AddWay("unlisted6 out", lab.host, "fd09::2", kPortOfAName);
  AddWay("dns out", lab.host, "10.9.0.2", kDns);
  AddWay("udp4 in", lab.peer, "10.9.0.1", kNetbios);
  AddWay("udp6 in", lab.peer, "fd09::1", kNetbios);
  frames_ = Open(lab.host, AF_PACKET, SOCK_RAW);
  sniffer_ = Open(lab.peer, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  const int megabytes = 8 * 1024 * 1024;
  setsockopt(sniffer_.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &megabytes, sizeof(megabytes));
  receivers_.push_back(Receiver(lab.host, AF_INET));
  receivers_.push_back(Receiver(lab.host, AF_INET6));
}

std::set<std::string> LeakJudge::AllWays() {
  return {"udp4 out",     "udp6 out",     "container4 out", "container6 out",
          "bridged4 out", "bridged6 out", "macvlan4 out",   "macvlan6 out",
          "frame4 out",   "frame6 out",   "unlisted4 out",  "unlisted6 out",
          "dns out",      "udp4 in",      "udp6 in",        "other program out"};
}

void LeakJudge::AddWay(const std::string& name, const NetNamespace& from, const std::string& address,
                       uint16_t port) {
  ways_.push_back({name, Open(from, IsV6(address) ? AF_INET6 : AF_INET, SOCK_DGRAM), address, port});
}

void LeakJudge::SendOn(const Way& way, const std::string& word) const {
  const SocketAddress to = MakeSocketAddress(way.address, way.port);
  sendto(way.socket.Get(), word.data(), word.size(), 0, to.Get(), to.size);
}

void LeakJudge::SendFrame(bool v6, const std::string& word) const {
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP);
  {
    const InNetNamespace inside(lab_.host);
    link.sll_ifindex = static_cast<int>(if_nametoindex("up0"));
  }
  const Ip ip = v6 ? Ip{"fd09::1", "fd09::2"} : Ip{"10.9.0.1", "10.9.0.2"};
  const Bytes frame = UdpFrame(ip, 40'000, kNetbios, word);
  sendto(frames_.Get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&link), sizeof(link));
}

void LeakJudge::Collect(const std::string& round, std::set<std::string>* arrived) {
  std::array<char, 2048> buffer;
  const auto drain = [&](const Fd& fd, bool outbound_only) {
    while (true) {
      sockaddr_ll from{};
      socklen_t size = sizeof(from);
      const ssize_t got =
          recvfrom(fd.Get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;
      // The peer's own: what it sends, and what its kernel tells itself of a neighbour that it does not
      // reach, with the packet in the message.
      if (outbound_only && (from.sll_pkttype == PACKET_OUTGOING || from.sll_hatype == ARPHRD_LOOPBACK))
        continue;
      TakeWord({buffer.data(), static_cast<size_t>(got)}, round, arrived);
    }
  };
  // What the host sends to itself may arrive there; at the peer it may not.
  const bool loopback_left = arrived->contains("loopback out");
  for (const Fd& receiver : receivers_) drain(receiver, false);
  if (!loopback_left) arrived->erase("loopback out");
  drain(sniffer_, true);
}

std::set<std::string> LeakJudge::Send(std::chrono::milliseconds patience) {
  const std::string round = std::to_string(++round_);
  for (const Way& way : ways_) SendOn(way, StrCat(kMark, " ", round, " ", way.name, ";"));
  for (const bool v6 : {false, true})
    SendFrame(v6, StrCat(kMark, " ", round, v6 ? " frame6 out;" : " frame4 out;"));
  std::set<std::string> arrived;
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until && arrived.size() < AllWays().size()) {
    pollfd wait{sniffer_.Get(), POLLIN, 0};
    poll(&wait, 1, 10);
    Collect(round, &arrived);
  }
  return arrived;
}

void LeakJudge::Pump() {
  SendOn(ways_.front(), std::string(kPumpMark));
  ++pumped_;
}

uint64_t LeakJudge::ArrivedAtPeer() {
  uint64_t arrived = 0;
  std::array<char, 2048> buffer;
  for (ssize_t got = 0; (got = recv(sniffer_.Get(), buffer.data(), buffer.size(), 0)) >= 0;) {
    if (std::string_view(buffer.data(), static_cast<size_t>(got)).find(kPumpMark) != std::string_view::npos)
      ++arrived;
  }
  return arrived;
}

}  // namespace cordon::testing
