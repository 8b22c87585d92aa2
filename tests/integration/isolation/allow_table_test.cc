// docs/levels.md as a test: every message that the tables there name, and its neighbours that they do not
// name, as a frame on the wire, at each level. What leaves is judged on the far side; what arrives, by what
// the host's rules let in.

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "platform/linux/system/agent_mark.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/frame.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;

enum class Open {
  kUpToControllerOnly,  // DHCP, ARP, neighbour discovery
  kUpToEssential,       // the profile
  kUpToNoLateral,       // everything else
};

struct Row {
  std::string name;
  Open open;
  Bytes frame;
  Bytes seen = "";  // how the far side sees it, where that is not the frame itself
};

constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kSynAck = 0x12;
constexpr uint8_t kAck = 0x10;

constexpr const char* kHost = "10.9.0.1";
constexpr const char* kPeer = "10.9.0.2";  // in the profile: TCP 443 out
constexpr const char* kOther = "10.9.0.77";
constexpr const char* kHost6 = "fd09::1";
constexpr const char* kPeer6 = "fd09::2";
constexpr const char* kHostLocal = "fe80::1:1";
constexpr const char* kRouter = "fe80::7";

// Messages of ICMPv6 that tell their row apart by their last bytes.
Bytes Icmp6(const std::string& row, const Ip& ip, uint8_t type) {
  return Icmp6Frame(ip, type, Bytes(20, '\0') + row);
}

Bytes Arp(uint16_t hardware, uint16_t operation) {
  return Ethernet(0x0806, Be16(hardware) + Be16(0x0800) + "\x06\x04" + Be16(operation) + Bytes(20, '\x01'));
}

std::vector<Row> Leaving() {
  constexpr Open kUpkeep = Open::kUpToControllerOnly;
  constexpr Open kElse = Open::kUpToNoLateral;
  const Bytes in_vlan =
      TcpFrame({kHost, kPeer}, 40001, 443, kSyn);  // the tag is taken off before a socket sees it
  std::vector<Row> rows = {
      {"DHCP request by broadcast", kUpkeep, UdpFrame({"0.0.0.0", "255.255.255.255"}, 68, 67)},
      {"DHCP port of one address", kElse, UdpFrame({kHost, kPeer}, 68, 67)},
      {"broadcast to port 67 from another port", kElse, UdpFrame({kHost, "255.255.255.255"}, 6868, 67)},
      {"broadcast to another port", kElse, UdpFrame({"0.0.0.0", "255.255.255.255"}, 68, 6767)},
      {"DHCPv6 solicit", kUpkeep, UdpFrame({kHostLocal, "ff02::1:2"}, 546, 547)},
      {"DHCPv6 to one address", kElse, UdpFrame({kHostLocal, kPeer6}, 546, 547)},
      {"DHCPv6 from a global address", kElse, UdpFrame({kHost6, "ff02::1:2"}, 546, 547)},
      {"ARP request", kUpkeep, Arp(1, 1)},
      {"ARP reply", kUpkeep, Arp(1, 2)},
      {"RARP request", kElse, Arp(1, 3)},
      {"ARP of another hardware", kElse, Arp(6, 1)},
      {"TCP to the profile", Open::kUpToEssential, TcpFrame({kHost, kPeer}, 40000, 443, kSyn)},
      {"TCP over IPv6 to the profile", Open::kUpToEssential, TcpFrame({kHost6, kPeer6}, 40000, 443, kSyn)},
      {"TCP to another port", kElse, TcpFrame({kHost, kPeer}, 40000, 444, kSyn)},
      {"TCP to another address", kElse, TcpFrame({kHost, kOther}, 40000, 443, kSyn)},
      {"TCP of an established flow elsewhere", kElse, TcpFrame({kHost, kOther}, 40000, 80, kAck)},
      {"DNS", kElse, UdpFrame({kHost, kPeer}, 40000, 53)},
      {"DNS over TCP", kElse, TcpFrame({kHost, kPeer}, 40000, 53, kSyn)},
      {"DNS over TLS", kElse, TcpFrame({kHost, kPeer}, 40000, 853, kSyn)},
      {"QUIC", kElse, UdpFrame({kHost, kPeer}, 40000, 443)},
      {"multicast DNS", kElse, UdpFrame({kHost, "224.0.0.251"}, 5353, 5353)},
      {"LLMNR", kElse, UdpFrame({kHost, "224.0.0.252"}, 40000, 5355)},
      {"SSDP", kElse, UdpFrame({kHost, "239.255.255.250"}, 40000, 1900)},
      {"a later fragment", kElse, IpFrame({kHost, kPeer}, IPPROTO_UDP, "fragment", 100)},
      {"IGMP", kElse, IpFrame({kHost, "224.0.0.22"}, 2, Bytes(16, '\x22'))},
      {"GRE", kElse, IpFrame({kHost, kPeer}, 47, Bytes(16, '\x47'))},
      {"ESP", kElse, IpFrame({kHost, kPeer}, 50, Bytes(16, '\x50'))},
      {"SCTP", kElse, IpFrame({kHost, kPeer}, 132, Bytes(16, '\x13'))},
      {"IP in IP", kElse, IpFrame({kHost, kPeer}, 4, Bytes(20, '\x45'))},
      {"IPv6 in IPv4", kElse, IpFrame({kHost, kPeer}, 41, Bytes(40, '\x60'))},
      {"the profile inside a VLAN", kElse, Ethernet(0x8100, Be16(5) + in_vlan.substr(12)), in_vlan},
      {"802.1X", kElse, Ethernet(0x888e, Bytes(46, '\x01'))},
      {"LLDP", kElse, Ethernet(0x88cc, Bytes(46, '\x02'))},
      {"PPPoE", kElse, Ethernet(0x8863, Bytes(46, '\x03'))},
      {"an unknown protocol", kElse, Ethernet(0x88b5, Bytes(46, '\x04'))},
  };
  const auto icmp6 = [&](const std::string& name, Open open, const Ip& ip, uint8_t type) {
    rows.push_back({name, open, Icmp6(name, ip, type)});
  };
  icmp6("router solicitation", kUpkeep, {kHostLocal, "ff02::2", 255}, 133);
  icmp6("router solicitation that was forwarded", kElse, {kHostLocal, "ff02::2", 254}, 133);
  icmp6("router solicitation to one address", kElse, {kHostLocal, kPeer6, 255}, 133);
  icmp6("router advertisement", kElse, {kHostLocal, "ff02::1", 255}, 134);
  icmp6("neighbour solicitation", kUpkeep, {kHost6, "ff02::1:ff00:2", 255}, 135);
  icmp6("neighbour solicitation that was forwarded", kElse, {kHost6, "ff02::1:ff00:2", 64}, 135);
  icmp6("neighbour advertisement", kUpkeep, {kHost6, kPeer6, 255}, 136);
  icmp6("redirect", kElse, {kHostLocal, kPeer6, 255}, 137);
  icmp6("multicast listener report 2", kUpkeep, {kHostLocal, "ff02::16", 1}, 143);
  icmp6("multicast listener report 2 elsewhere", kElse, {kHostLocal, "ff02::1", 1}, 143);
  icmp6("multicast listener report", kUpkeep, {kHostLocal, "ff02::fb", 1}, 131);
  icmp6("multicast listener done", kUpkeep, {kHostLocal, "ff02::2", 1}, 132);
  icmp6("multicast listener query", kElse, {kHostLocal, "ff02::1", 1}, 130);
  icmp6("echo request", kElse, {kHost6, kPeer6}, 128);
  icmp6("destination unreachable", kElse, {kHost6, kPeer6}, 1);
  return rows;
}

struct Arrival {
  Row row;
  bool v6;
  uint8_t protocol;
};

std::vector<Arrival> Arriving() {
  constexpr Open kUpkeep = Open::kUpToControllerOnly;
  constexpr Open kElse = Open::kUpToNoLateral;
  std::vector<Arrival> rows;
  const auto udp = [&](const std::string& name, Open open, const Ip& ip, uint16_t from, uint16_t to) {
    rows.push_back(
        {{name, open, UdpFrame(ip, from, to, name)}, ip.to.find(':') != std::string::npos, IPPROTO_UDP});
  };
  const auto tcp = [&](const std::string& name, Open open, const Ip& ip, uint16_t from, uint8_t flags) {
    rows.push_back(
        {{name, open, TcpFrame(ip, from, 40000, flags)}, ip.to.find(':') != std::string::npos, IPPROTO_TCP});
  };
  const auto icmp6 = [&](const std::string& name, Open open, const Ip& ip, uint8_t type) {
    rows.push_back({{name, open, Icmp6(name, ip, type)}, true, IPPROTO_ICMPV6});
  };
  udp("DHCP answer by broadcast", kUpkeep, {kPeer, "255.255.255.255"}, 67, 68);
  udp("DHCP answer to the host", kUpkeep, {kPeer, kHost}, 67, 68);
  udp("DHCP answer from another port", kElse, {kPeer, kHost}, 6767, 68);
  udp("from port 67 to another port", kElse, {kPeer, kHost}, 67, 69);
  udp("DHCPv6 answer", kUpkeep, {kRouter, kHostLocal}, 547, 546);
  udp("DHCPv6 answer from a global address", kElse, {kPeer6, kHostLocal}, 547, 546);
  udp("DHCPv6 answer to a global address", kElse, {kRouter, kHost6}, 547, 546);
  udp("DNS answer", kElse, {kPeer, kHost}, 53, 40000);
  udp("from the profile's port over UDP", kElse, {kPeer, kHost}, 443, 40000);
  tcp("answer of the profile", Open::kUpToEssential, {kPeer, kHost}, 443, kSynAck);
  tcp("answer of the profile over IPv6", Open::kUpToEssential, {kPeer6, kHost6}, 443, kAck);
  tcp("connection from the profile's port", kElse, {kPeer, kHost}, 443, kSyn);
  tcp("connection from the profile's port over IPv6", kElse, {kPeer6, kHost6}, 443, kSyn);
  tcp("packet of an established flow", kElse, {kPeer, kHost}, 80, kAck);
  icmp6("router advertisement", kUpkeep, {kRouter, "ff02::1", 255}, 134);
  icmp6("router advertisement that was forwarded", kElse, {kRouter, "ff02::1", 254}, 134);
  icmp6("router advertisement from a global address", kElse, {kPeer6, "ff02::1", 255}, 134);
  icmp6("router solicitation", kElse, {kRouter, "ff02::1", 255}, 133);
  icmp6("neighbour solicitation", kUpkeep, {kPeer6, "ff02::1:ff00:1", 255}, 135);
  icmp6("neighbour advertisement", kUpkeep, {kPeer6, kHost6, 255}, 136);
  icmp6("neighbour advertisement that was forwarded", kElse, {kPeer6, kHost6, 64}, 136);
  icmp6("redirect", kElse, {kRouter, kHost6, 255}, 137);
  icmp6("multicast listener query", kUpkeep, {kRouter, "ff02::1", 1}, 130);
  icmp6("multicast listener query from a global address", kElse, {kPeer6, "ff02::1", 1}, 130);
  icmp6("multicast listener report", kElse, {kRouter, "ff02::1", 1}, 131);
  icmp6("echo request", kElse, {kPeer6, kHost6}, 128);
  icmp6("packet too big", kElse, {kPeer6, kHost6}, 2);
  return rows;
}

class AllowTable : public ::testing::TestWithParam<Level> {
 protected:
  AllowTable() {
    lab_.host.Ip(std::string("addr add ") + kHostLocal + "/64 dev up0 nodad");
    // The host must not act on what it is shown at the open levels.
    lab_.host.SetSysctl("net/ipv6/conf/up0/accept_ra", "0");
  }

  static FilterPolicy Policy() {
    return {.level = GetParam(),
            .allow = {Allow(FlowDirection::kOut, FlowProtocol::kTcp, {kPeer, kPeer6}, {{443, 443}})},
            .controllers = {At("192.0.2.7", 7443)}};
  }

  static bool IsOpen(Open open) {
    switch (open) {
      case Open::kUpToControllerOnly:
        return GetParam() <= Level::kControllerOnly;
      case Open::kUpToEssential:
        return GetParam() <= Level::kEssential;
      case Open::kUpToNoLateral:
        return GetParam() <= Level::kNoLateral;
    }
    return false;
  }

  static std::chrono::milliseconds Patience(bool open) {
    return open ? kExpectArrival : std::chrono::milliseconds(20);
  }

  Lab lab_;
};

TEST_P(AllowTable, WhatLeavesIsWhatTheTableSays) {
  const FrameSender sender(lab_.host, "up0");
  const FrameCatcher far(lab_.peer, "eth0");
  const auto passes = [&](const Row& row, bool expected) {
    sender.Send(row.frame);
    return far.Catches(row.seen.empty() ? row.frame : row.seen, Patience(expected));
  };
  for (const Row& row : Leaving()) EXPECT_TRUE(passes(row, true)) << row.name << ": the positive control";
  ASSERT_TRUE(lab_.filter->Apply(Policy()).ok());
  for (const Row& row : Leaving()) EXPECT_EQ(passes(row, IsOpen(row.open)), IsOpen(row.open)) << row.name;
}

TEST_P(AllowTable, WhatArrivesIsWhatTheTableSays) {
  const FrameSender sender(lab_.peer, "eth0");
  const auto passes = [&](const Arrival& arrival, bool expected) {
    const RawReceiver receiver(lab_.host, arrival.v6, arrival.protocol);
    const std::string mark = arrival.row.frame.substr(arrival.row.frame.size() - 20);
    // A kernel that is still at work on the address (DAD) drops what comes: what should pass is sent again.
    for (int attempt = 0; attempt < (expected ? 3 : 1); ++attempt) {
      sender.Send(arrival.row.frame);
      if (receiver.Receives(mark, Patience(expected))) return true;
    }
    return false;
  };
  for (const Arrival& arrival : Arriving()) {
    EXPECT_TRUE(passes(arrival, true)) << arrival.row.name << ": the positive control";
  }
  ASSERT_TRUE(lab_.filter->Apply(Policy()).ok());
  for (const Arrival& arrival : Arriving()) {
    const bool open = IsOpen(arrival.row.open);
    EXPECT_EQ(passes(arrival, open), open) << arrival.row.name;
  }
}

// For the controllers' names, where the level shuts port 53: no other program, and nothing beside that port.
TEST_P(AllowTable, ISO4_AResolverIsReachedByTheAgentsSocketsAlone) {
  FilterPolicy policy = Policy();
  const bool shuts_dns = GetParam() == Level::kEssential || GetParam() == Level::kControllerOnly;
  if (shuts_dns) policy.resolvers = {At(kPeer, 53)};
  ASSERT_TRUE(lab_.filter->Apply(policy).ok());
  EXPECT_TRUE(lab_.filter->ReadBack(policy)->matches);
  const auto reaches = [&](uint16_t port, uint32_t mark, bool expected) {
    return TcpArrives(lab_.host, {lab_.peer, kPeer, port}, Patience(expected), mark);
  };
  const bool open = IsOpen(Open::kUpToNoLateral);
  EXPECT_EQ(reaches(53, platform::kAgentSocketMark, open || shuts_dns), open || shuts_dns);
  EXPECT_EQ(reaches(53, 0, open), open);
  EXPECT_EQ(reaches(54, platform::kAgentSocketMark, open), open);
}

INSTANTIATE_TEST_SUITE_P(Levels, AllowTable, ::testing::ValuesIn(kAllLevels), [](const auto& level) {
  std::string name = LevelName(level.param);
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace cordon::testing
