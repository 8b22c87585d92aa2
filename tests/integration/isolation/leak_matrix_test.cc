// ISO-3: rows are ways out of (and into) a host, columns are levels. Each cell first shows that the way is
// open, then that the level closes it, or leaves it open where it should. Arrival is judged on the other
// side.

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/integration/isolation/lab.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::Level;
using std::chrono::milliseconds;

constexpr uint16_t kSmb = 445;      // lateral over TCP
constexpr uint16_t kNetbios = 137;  // lateral over UDP

struct Row {
  std::string name;
  std::function<bool(const Lab&, milliseconds)> arrives;
  bool open_at_no_lateral = false;
};

std::vector<Row> Rows() {
  const auto host4 = [](const Lab& lab, uint16_t port) { return Destination{lab.host, "10.9.0.1", port}; };
  const auto host6 = [](const Lab& lab, uint16_t port) { return Destination{lab.host, "fd09::1", port}; };
  const auto peer4 = [](const Lab& lab, uint16_t port) { return Destination{lab.peer, "10.9.0.2", port}; };
  const auto peer6 = [](const Lab& lab, uint16_t port) { return Destination{lab.peer, "fd09::2", port}; };
  const auto behind = [](const Lab& lab, uint16_t port) {
    return Destination{lab.container, "10.8.0.2", port};
  };
  const auto bridged = [](const Lab& lab, uint16_t port) {
    return Destination{lab.bridged, "10.7.0.3", port};
  };
  const auto beyond = [](const Lab& lab, uint16_t port) { return Destination{lab.peer, "10.7.0.2", port}; };
  const auto macvlan = [](const Lab& lab, uint16_t port) { return Destination{lab.guest, "10.9.0.3", port}; };
  return {
      {"tcp4 out", [=](const Lab& l, milliseconds p) { return TcpArrives(l.host, peer4(l, kSmb), p); }},
      {"tcp4 in", [=](const Lab& l, milliseconds p) { return TcpArrives(l.peer, host4(l, kSmb), p); }},
      {"tcp6 out", [=](const Lab& l, milliseconds p) { return TcpArrives(l.host, peer6(l, kSmb), p); }},
      {"tcp6 in", [=](const Lab& l, milliseconds p) { return TcpArrives(l.peer, host6(l, kSmb), p); }},
      {"udp4 out", [=](const Lab& l, milliseconds p) { return UdpArrives(l.host, peer4(l, kNetbios), p); }},
      {"udp4 in", [=](const Lab& l, milliseconds p) { return UdpArrives(l.peer, host4(l, kNetbios), p); }},
      {"udp6 out", [=](const Lab& l, milliseconds p) { return UdpArrives(l.host, peer6(l, kNetbios), p); }},
      {"udp6 in", [=](const Lab& l, milliseconds p) { return UdpArrives(l.peer, host6(l, kNetbios), p); }},
      {"icmp4 out", [=](const Lab& l, milliseconds p) { return EchoReturns(l.host, peer4(l, 0), p); }, true},
      {"icmp4 in", [=](const Lab& l, milliseconds p) { return EchoReturns(l.peer, host4(l, 0), p); }, true},
      {"icmp6 out", [=](const Lab& l, milliseconds p) { return EchoReturns(l.host, peer6(l, 0), p); }, true},
      {"icmp6 in", [=](const Lab& l, milliseconds p) { return EchoReturns(l.peer, host6(l, 0), p); }, true},
      {"tcp4 out by another program",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.host, peer4(l, 7777), p); }, true},
      {"tcp6 out by another program",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.host, peer6(l, 7777), p); }, true},
      {"tcp4 in to another program",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.peer, host4(l, 7777), p); }, true},
      {"tcp6 in to another program",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.peer, host6(l, 7777), p); }, true},
      {"udp4 out by another program",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.host, peer4(l, 7778), p); }, true},
      {"udp6 in to another program",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.peer, host6(l, 7778), p); }, true},
      {"macvlan out as another program",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.guest, peer4(l, 7778), p); }, true},
      {"packet socket out as another program",
       [=](const Lab& l, milliseconds p) {
         return FrameArrives(l.host, {"up0", "10.9.0.1"}, peer4(l, 7778), p);
       },
       true},
      {"container tcp out",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.container, peer4(l, kSmb), p); }},
      {"container tcp in",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.peer, behind(l, kSmb), p); }},
      {"container udp out",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.container, peer4(l, kNetbios), p); }},
      {"container udp in",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.peer, behind(l, kNetbios), p); }},
      {"bridged out",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.bridged, beyond(l, kNetbios), p); }},
      {"bridged in",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.peer, bridged(l, kNetbios), p); }},
      {"bridged tcp out",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.bridged, beyond(l, kSmb), p); }},
      {"macvlan out",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.guest, peer4(l, kNetbios), p); }},
      {"macvlan in",
       [=](const Lab& l, milliseconds p) { return UdpArrives(l.peer, macvlan(l, kNetbios), p); }},
      {"macvlan tcp out",
       [=](const Lab& l, milliseconds p) { return TcpArrives(l.guest, peer4(l, kSmb), p); }},
      {"packet socket out",
       [=](const Lab& l, milliseconds p) {
         return FrameArrives(l.host, {"up0", "10.9.0.1"}, peer4(l, kNetbios), p);
       }},
      {"packet socket in",
       [=](const Lab& l, milliseconds p) {
         return FrameArrives(l.peer, {"eth0", "10.9.0.2"}, host4(l, kNetbios), p);
       }},
      {"packet socket out, qdisc bypass",
       [=](const Lab& l, milliseconds p) {
         return FrameArrives(l.host, {"up0", "10.9.0.1", true}, peer4(l, kNetbios), p);
       }},
      {"packet socket in, qdisc bypass",
       [=](const Lab& l, milliseconds p) {
         return FrameArrives(l.peer, {"eth0", "10.9.0.2", true}, host4(l, kNetbios), p);
       }},
  };
}

class LeakMatrix : public ::testing::TestWithParam<Level> {
 protected:
  void Apply(Level level) {
    const absl::Status applied = lab_.filter->Apply(ClinicPolicy(level));
    ASSERT_TRUE(applied.ok()) << applied;
  }
  static bool Open(const Row& row) {
    return GetParam() == Level::kObserve || (GetParam() == Level::kNoLateral && row.open_at_no_lateral);
  }
  static bool OpenAtAll() { return GetParam() == Level::kObserve; }

  Lab lab_;
};

TEST_P(LeakMatrix, ISO3_EveryWayIsClosedThatTheLevelCloses) {
  for (const Row& row : Rows()) {
    EXPECT_TRUE(row.arrives(lab_, kExpectArrival)) << row.name << ": the positive control";
  }
  Apply(GetParam());
  for (const Row& row : Rows()) {
    EXPECT_EQ(row.arrives(lab_, Open(row) ? kExpectArrival : kExpectNothing), Open(row)) << row.name;
  }
  Apply(Level::kObserve);
  for (const Row& row : Rows())
    EXPECT_TRUE(row.arrives(lab_, kExpectArrival)) << row.name << ": after release";
}

TEST_P(LeakMatrix, ISO2_AnEstablishedFlowStopsBothWays) {
  for (const char* address : {"10.9.0.2", "fd09::2"}) {
    SCOPED_TRACE(address);
    // Connection tracking sees the flows from their start, as on a host with a firewall of its own.
    lab_.host.Run({"nft",
                   "add table inet admins; add chain inet admins c { type filter hook input priority 0; };"
                   "add rule inet admins c ct state established accept"});
    Established out(lab_.host, {lab_.peer, address, kSmb});
    Established in(lab_.peer, {lab_.host, std::string(address) == "10.9.0.2" ? "10.9.0.1" : "fd09::1", kSmb});
    for (Established* flow : {&out, &in}) {
      EXPECT_TRUE(flow->Reaches(true, kExpectArrival)) << "the positive control";
      EXPECT_TRUE(flow->Reaches(false, kExpectArrival)) << "the positive control";
    }
    Apply(GetParam());
    const milliseconds patience = OpenAtAll() ? kExpectArrival : kExpectNothing;
    for (Established* flow : {&out, &in}) {
      EXPECT_EQ(flow->Reaches(true, patience), OpenAtAll());
      EXPECT_EQ(flow->Reaches(false, patience), OpenAtAll());
    }
    Apply(Level::kObserve);
  }
}

TEST_P(LeakMatrix, ISO3_AnInterfaceThatAppearsLaterIsClosedToo) {
  Apply(GetParam());
  ConnectByVeth({lab_.host, "late0", {"10.6.0.1/24"}}, {lab_.peer, "late0", {"10.6.0.2/24"}});
  const Destination out{lab_.peer, "10.6.0.2", kNetbios};
  const Destination in{lab_.host, "10.6.0.1", kNetbios};
  const Frame frame{"late0", "10.6.0.1"};
  Apply(Level::kObserve);
  EXPECT_TRUE(FrameArrives(lab_.host, frame, out, kExpectArrival)) << "the positive control";
  Apply(GetParam());
  const milliseconds patience = OpenAtAll() ? kExpectArrival : kExpectNothing;
  EXPECT_EQ(FrameArrives(lab_.host, frame, out, patience), OpenAtAll());
  EXPECT_EQ(UdpArrives(lab_.host, out, patience), OpenAtAll());
  EXPECT_EQ(UdpArrives(lab_.peer, in, patience), OpenAtAll());
}

INSTANTIATE_TEST_SUITE_P(Levels, LeakMatrix, ::testing::ValuesIn(kAllLevels), [](const auto& level) {
  std::string name = LevelName(level.param);
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace cordon::testing
