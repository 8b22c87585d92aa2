// ISO-3: rows are ways out of (and into) a host, columns are levels. Each cell first shows that the way is
// open, then that the level closes it, or leaves it open where it should. Arrival is judged on the other
// side.

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/subprocess.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::Level;
using std::chrono::milliseconds;

constexpr uint16_t kSmb = 445;      // lateral over TCP
constexpr uint16_t kNetbios = 137;  // lateral over UDP
// What ClinicPolicy opens for a program that this test is not.
constexpr uint16_t kTcpOfAProgram = 7777;
constexpr uint16_t kUdpOfAProgram = 7778;

struct Row {
  std::string name;
  std::function<bool(const Lab&, milliseconds)> arrives;
  bool open_at_no_lateral = false;
};

// From one machine of the lab to another, whose addresses these are.
struct Way {
  std::string name;
  NetNamespace Lab::* from;
  NetNamespace Lab::* to;
  std::string v4;
  std::string v6;
};

const Way kOut{"out", &Lab::host, &Lab::peer, "10.9.0.2", "fd09::2"};
const Way kIn{"in", &Lab::peer, &Lab::host, "10.9.0.1", "fd09::1"};
const Way kMacvlanOut{"macvlan out", &Lab::guest, &Lab::peer, "10.9.0.2", "fd09::2"};
const std::vector<Way> kWays = {
    kOut,
    kIn,
    {"container out", &Lab::container, &Lab::peer, "10.9.0.2", "fd09::2"},
    {"container in", &Lab::peer, &Lab::container, "10.8.0.2", "fd08::2"},
    {"bridged out", &Lab::bridged, &Lab::peer, "10.7.0.2", "fd07::2"},
    {"bridged in", &Lab::peer, &Lab::bridged, "10.7.0.3", "fd07::3"},
    kMacvlanOut,
    {"macvlan in", &Lab::peer, &Lab::guest, "10.9.0.3", "fd09::3"},
};

Destination To(const Way& way, const Lab& lab, bool v6, uint16_t port) {
  return {lab.*way.to, v6 ? way.v6 : way.v4, port};
}

Row Tcp(const Way& way, bool v6, uint16_t port) {
  return {StrCat(way.name, v6 ? " tcp6 " : " tcp4 ", port), [=](const Lab& lab, milliseconds patience) {
            return TcpArrives(lab.*way.from, To(way, lab, v6, port), patience);
          }};
}
Row Udp(const Way& way, bool v6, uint16_t port) {
  return {StrCat(way.name, v6 ? " udp6 " : " udp4 ", port), [=](const Lab& lab, milliseconds patience) {
            return UdpArrives(lab.*way.from, To(way, lab, v6, port), patience);
          }};
}
Row Echo(const Way& way, bool v6) {
  return {StrCat(way.name, v6 ? " icmp6" : " icmp4"), [=](const Lab& lab, milliseconds patience) {
            return EchoReturns(lab.*way.from, To(way, lab, v6, 0), patience);
          }};
}
// By a packet socket on the interface that leads there. TCP that goes so is in allow_table_test.cc.
Row PacketSocket(const Way& way, bool v6, uint16_t port, bool bypass_qdisc) {
  const bool out = way.from == &Lab::host;
  const std::string interface = out ? "up0" : "eth0";
  const Way& back = out ? kIn : kOut;
  const Frame frame{interface, v6 ? back.v6 : back.v4, bypass_qdisc};
  return {StrCat(way.name, v6 ? " frame6 " : " frame4 ", port, bypass_qdisc ? ", qdisc bypass" : ""),
          [=](const Lab& lab, milliseconds patience) {
            return FrameArrives(lab.*way.from, frame, To(way, lab, v6, port), patience);
          }};
}

std::vector<Row> Rows() {
  std::vector<Row> rows;
  const auto up_to_no_lateral = [&](Row row) {
    row.open_at_no_lateral = true;
    rows.push_back(std::move(row));
  };
  for (const bool v6 : {false, true}) {
    for (const Way& way : kWays) {
      rows.push_back(Tcp(way, v6, kSmb));
      rows.push_back(Udp(way, v6, kNetbios));
    }
    for (const Way& way : {kOut, kIn}) {
      up_to_no_lateral(Echo(way, v6));
      up_to_no_lateral(Tcp(way, v6, kTcpOfAProgram));
      up_to_no_lateral(Udp(way, v6, kUdpOfAProgram));
      for (const bool bypass_qdisc : {false, true}) {
        rows.push_back(PacketSocket(way, v6, kNetbios, bypass_qdisc));
      }
    }
    up_to_no_lateral(Udp(kMacvlanOut, v6, kUdpOfAProgram));
    up_to_no_lateral(PacketSocket(kOut, v6, kUdpOfAProgram, false));
  }
  return rows;
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

// The inet rules have it at once. Past them it is closed when the same level is applied again, which the
// agent and the keeper do when they see an interface (AgentProgramTest, PersistenceProgramTest, KeeperTest).
TEST_P(LeakMatrix, ISO3_AnInterfaceThatAppearsLaterIsClosedToo) {
  Apply(GetParam());
  const LinkEnd here{lab_.host, "late0", {"10.6.0.1/24", "fd06::1/64"}};
  const LinkEnd there{lab_.peer, "late0", {"10.6.0.2/24", "fd06::2/64"}};
  ConnectByVeth(here, there);
  KnowNeighbour(lab_.host, "late0", there);
  KnowNeighbour(lab_.peer, "late0", here);
  const auto expect_by_sockets = [&](bool open) {
    const milliseconds patience = open ? kExpectArrival : kExpectNothing;
    for (const char* to : {"10.6.0.2", "fd06::2"}) {
      EXPECT_EQ(UdpArrives(lab_.host, {lab_.peer, to, kNetbios}, patience), open) << to;
      EXPECT_EQ(TcpArrives(lab_.host, {lab_.peer, to, kSmb}, patience), open) << to;
    }
    for (const char* to : {"10.6.0.1", "fd06::1"}) {
      EXPECT_EQ(UdpArrives(lab_.peer, {lab_.host, to, kNetbios}, patience), open) << to;
      EXPECT_EQ(TcpArrives(lab_.peer, {lab_.host, to, kSmb}, patience), open) << to;
    }
  };
  const auto expect_by_frames = [&](bool open) {
    const milliseconds patience = open ? kExpectArrival : kExpectNothing;
    EXPECT_EQ(FrameArrives(lab_.host, {"late0", "10.6.0.1"}, {lab_.peer, "10.6.0.2", kNetbios}, patience),
              open);
    EXPECT_EQ(FrameArrives(lab_.host, {"late0", "fd06::1"}, {lab_.peer, "fd06::2", kNetbios}, patience),
              open);
  };
  expect_by_sockets(OpenAtAll());
  Apply(GetParam());
  expect_by_sockets(OpenAtAll());
  expect_by_frames(OpenAtAll());
  Apply(Level::kObserve);  // the positive control
  expect_by_sockets(true);
  expect_by_frames(true);
}

// A neighbour by ipvlan leaves by the uplink, as one by macvlan does. Its uplink has no macvlan beside it: an
// interface cannot have both.
TEST(LeakMatrixOfIpvlan, ISO3_ANeighbourByIpvlanIsClosedToo) {
  const Lab lab;
  const NetNamespace guest("ipvl");
  ConnectByVeth({lab.host, "up2", {}}, {lab.peer, "eth2", {"10.5.0.2/24", "fd05::2/64"}});
  const CommandResult added = RunCommand(
      {"ip", "-n", lab.host.Name(), "link", "add", "iv0", "link", "up2", "type", "ipvlan", "mode", "l2"});
  if (added.status != 0) GTEST_SKIP() << "this kernel makes no ipvlan (CONFIG_IPVLAN): " << added.errors;
  lab.host.Ip(StrCat("link set iv0 netns ", guest.Name()));
  for (const char* words :
       {"addr add 10.5.0.3/24 dev iv0", "addr add fd05::3/64 dev iv0 nodad", "link set iv0 up"}) {
    guest.Ip(words);
  }
  const auto leaves = [&](const char* to, milliseconds patience) {
    return UdpArrives(guest, {lab.peer, to, kNetbios}, patience) ||
           TcpArrives(guest, {lab.peer, to, kSmb}, patience);
  };
  for (const char* to : {"10.5.0.2", "fd05::2"})
    EXPECT_TRUE(leaves(to, kExpectArrival)) << "the positive control";
  for (const Level level : {Level::kNoLateral, Level::kEssential, Level::kControllerOnly, Level::kDark}) {
    ASSERT_TRUE(lab.filter->Apply(ClinicPolicy(level)).ok());
    for (const char* to : {"10.5.0.2", "fd05::2"})
      EXPECT_FALSE(leaves(to, kExpectNothing)) << LevelName(level);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, LeakMatrix, ::testing::ValuesIn(kAllLevels), [](const auto& level) {
  std::string name = LevelName(level.param);
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace cordon::testing
