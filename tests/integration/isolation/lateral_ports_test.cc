// The table of docs/levels.md, "Lateral-movement protocols", on the kernel: every port of it is open before
// and shut at no-lateral, both ways, and its neighbours stay open.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <set>
#include <string>

#include "common/base/strings.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/frame.h"
#include "tests/support/socket_address.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::Level;
using Ports = std::set<uint16_t>;

constexpr uint16_t kOther = 40'000;  // the other end's port

// As the page has them.
struct Line {
  const char* what;
  std::vector<platform::PortRange> ports;
};
const std::vector<Line> kTcp = {
    {"SSH, Telnet", {{22, 22}, {23, 23}}},
    {"RPC endpoint mapper, RPC over HTTP", {{135, 135}, {593, 593}}},
    {"NetBIOS session, SMB", {{139, 139}, {445, 445}}},
    {"rexec, rlogin, rsh", {{512, 514}}},
    {"RDP", {{3389, 3389}}},
    {"Radmin, pcAnywhere, DameWare, AnyDesk", {{4899, 4899}, {5631, 5631}, {6129, 6129}, {7070, 7070}}},
    {"VNC, TeamViewer, WinRM", {{5800, 5999}}},
    {"WinRM, old listener", {{47001, 47001}}}};
const std::vector<Line> kUdp = {
    {"UDP", {{135, 135}, {137, 139}, {445, 445}, {3389, 3389}, {5632, 5632}, {5938, 5938}}}};

Ports PortsOf(const std::vector<Line>& table) {
  Ports ports;
  for (const Line& line : table) {
    for (const auto& range : line.ports) {
      for (int port = range.first; port <= range.last; ++port) ports.insert(static_cast<uint16_t>(port));
    }
  }
  return ports;
}

// All that the table could mean, with what lies beside it.
Ports Tried() {
  Ports ports;
  for (int port = 1; port <= 7'200; ++port) ports.insert(static_cast<uint16_t>(port));
  for (int port = 46'990; port <= 47'010; ++port) ports.insert(static_cast<uint16_t>(port));
  return ports;
}

Ports Without(Ports all, const Ports& less) {
  for (const uint16_t port : less) all.erase(port);
  return all;
}

// Packets of one protocol from one address to another, sent through the IP stack and caught behind the rules
// of the receiving side.
class Sweep {
 public:
  Sweep(const NetNamespace& from, const NetNamespace& to, const std::string& address, bool tcp)
      : to_(MakeSocketAddress(address, 0)), tcp_(tcp), sender_(Raw(from)), receiver_(Raw(to)) {
    const int megabytes = 16 * 1024 * 1024;
    setsockopt(receiver_.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &megabytes, sizeof(megabytes));
  }

  // Of `ports`, those whose packets arrive: to them, or from them.
  Ports Arrive(const Ports& ports, bool from_them) {
    Ports arrived;
    for (int attempt = 0; attempt < 3 && arrived.size() < ports.size(); ++attempt) {
      for (const uint16_t port : Without(ports, arrived)) {
        const Bytes segment = from_them ? Segment(port, kOther) : Segment(kOther, port);
        sendto(sender_.Get(), segment.data(), segment.size(), 0, to_.Get(), to_.size);
        if (port % 256 == 0) Collect(from_them, 0, &arrived);
      }
      Collect(from_them, static_cast<int>(kExpectNothing.count()), &arrived);
    }
    return arrived;
  }

 private:
  platform::Fd Raw(const NetNamespace& in) const {
    const InNetNamespace inside(in);
    platform::Fd fd(socket(to_.Family(), SOCK_RAW | SOCK_CLOEXEC, tcp_ ? IPPROTO_TCP : IPPROTO_UDP));
    if (!fd.Valid()) throw std::runtime_error("no raw socket");
    return fd;
  }
  // Without a checksum: the receiving host's own TCP or UDP leaves it alone.
  Bytes Segment(uint16_t source, uint16_t destination) const {
    const Bytes ports = Be16(source) + Be16(destination);
    if (!tcp_) return ports + Be16(8) + Be16(0);
    return ports + Bytes(8, '\0') + Bytes("\x50\x02\x10\x00\x00\x00\x00\x00", 8);  // SYN
  }
  void Collect(bool from_them, int patience_ms, Ports* arrived) {
    std::array<uint8_t, 256> buffer{};
    pollfd wait{receiver_.Get(), POLLIN, 0};
    while (poll(&wait, 1, patience_ms) == 1) {
      const ssize_t size = recv(receiver_.Get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      const size_t head = to_.Family() == AF_INET ? 20 : 0;  // IPv4 comes with its header
      if (size < static_cast<ssize_t>(head + 4)) continue;
      const auto at = [&](size_t offset) {
        return static_cast<uint16_t>(buffer[head + offset] << 8 | buffer[head + offset + 1]);
      };
      const uint16_t mine = at(from_them ? 2 : 0);
      if (mine == kOther) arrived->insert(at(from_them ? 0 : 2));
    }
  }

  SocketAddress to_;
  bool tcp_;
  platform::Fd sender_;
  platform::Fd receiver_;
};

class LateralPorts : public ::testing::Test {
 protected:
  void NoLateral() {
    const absl::Status applied =
        lab_.filter->Apply({.level = Level::kNoLateral, .allow = {}, .controllers = {}});
    ASSERT_TRUE(applied.ok()) << applied;
  }
  // A connection to SMB of an address that the peer gets, as a neighbour of the host.
  bool SmbArrivesAt(const std::string& address, std::chrono::milliseconds patience) {
    return TcpArrives(lab_.host, {lab_.peer, address, 445}, patience);
  }

  Lab lab_;
};

TEST_F(LateralPorts, ISO3_AreThoseOfTheTableBothWaysAndNoOthers) {
  struct Way {
    const char* name;
    const NetNamespace& from;
    const NetNamespace& to;
    const char* address;
  };
  const Way ways[] = {{"4 out", lab_.host, lab_.peer, "10.9.0.2"},
                      {"4 in", lab_.peer, lab_.host, "10.9.0.1"},
                      {"6 out", lab_.host, lab_.peer, "fd09::2"},
                      {"6 in", lab_.peer, lab_.host, "fd09::1"},
                      {"4 out of a container", lab_.container, lab_.peer, "10.9.0.2"}};
  const auto each = [&](const auto& check) {
    for (const Way& way : ways) {
      for (const bool tcp : {true, false}) {
        for (const bool from_them : {false, true}) {
          SCOPED_TRACE(
              StrCat(way.name, tcp ? ", TCP" : ", UDP", from_them ? " from the port" : " to the port"));
          check(Sweep(way.from, way.to, way.address, tcp).Arrive(Tried(), from_them), tcp, from_them);
        }
      }
    }
  };
  each([](const Ports& arrived, bool, bool) { EXPECT_EQ(arrived, Tried()) << "the positive control"; });
  NoLateral();
  each([](const Ports& arrived, bool tcp, bool from_them) {
    Ports shut = PortsOf(tcp ? kTcp : kUdp);
    if (from_them) shut.erase(47'001);  // systems hand it out to clients
    EXPECT_EQ(Without(Tried(), arrived), shut);
  });
}

TEST_F(LateralPorts, ISO3_AreShutInPrivateNetworksAndOpenToPublicAddresses) {
  const std::vector<std::string> private_ones = {"10.200.0.9",    "172.16.0.9",  "172.31.255.9",
                                                 "192.168.200.9", "169.254.7.9", "100.64.0.9",
                                                 "100.127.255.9", "fc00::9",     "fdff::9"};
  const std::vector<std::string> public_ones = {"172.32.0.9", "192.167.0.9", "100.128.0.9", "203.0.113.9",
                                                "2001:db8::9"};
  for (const auto& addresses : {private_ones, public_ones}) {
    for (const std::string& address : addresses) {
      const bool v6 = address.find(':') != std::string::npos;
      lab_.peer.Ip(StrCat("addr add ", address, v6 ? "/128 nodad" : "/32", " dev eth0"));
      lab_.host.Ip(StrCat("route add ", address, " dev up0"));
      EXPECT_TRUE(SmbArrivesAt(address, kExpectArrival)) << address << ": the positive control";
    }
  }
  NoLateral();
  for (const std::string& address : private_ones)
    EXPECT_FALSE(SmbArrivesAt(address, kExpectNothing)) << address;
  for (const std::string& address : public_ones)
    EXPECT_TRUE(SmbArrivesAt(address, kExpectArrival)) << address;
}

}  // namespace
}  // namespace cordon::testing
