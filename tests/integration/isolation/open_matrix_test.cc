// The other half of the contract: what each level must leave open, with the neighbouring flow that it must
// not.

#include <gtest/gtest.h>

#include "platform/linux/system/agent_mark.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::kAgentSocketMark;
using platform::Level;

class OpenMatrix : public ::testing::Test {
 protected:
  void Apply(Level level) {
    FilterPolicy policy{
        .level = level,
        .allow = {Allow(FlowDirection::kOut, FlowProtocol::kTcp, {"10.9.0.2", "fd09::2"}, {{443, 443}}),
                  Allow(FlowDirection::kOut, FlowProtocol::kUdp, {"10.9.0.2"}, {{5353, 5353}}),
                  Allow(FlowDirection::kIn, FlowProtocol::kTcp, {"10.9.0.2", "fd09::2"}, {{3389, 3389}}),
                  Allow(FlowDirection::kOut, FlowProtocol::kIcmpEcho, {"10.9.0.2", "fd09::2"})},
        .controllers = {At("10.9.0.2", 7443), At("fd09::2", 7443)}};
    const absl::Status applied = lab_.filter->Apply(policy);
    ASSERT_TRUE(applied.ok()) << applied;
  }

  bool TcpOut(const std::string& address, uint16_t port, bool expected, uint32_t mark = 0) {
    return TcpArrives(lab_.host, {lab_.peer, address, port}, expected ? kExpectArrival : kExpectNothing,
                      mark);
  }
  bool TcpIn(const std::string& address, uint16_t port, bool expected) {
    return TcpArrives(lab_.peer, {lab_.host, address, port}, expected ? kExpectArrival : kExpectNothing);
  }

  Lab lab_;
};

TEST_F(OpenMatrix, EssentialOpensTheProfileInItsDirection) {
  Apply(Level::kEssential);
  for (const char* peer : {"10.9.0.2", "fd09::2"}) {
    EXPECT_TRUE(TcpOut(peer, 443, true)) << peer;
    EXPECT_FALSE(TcpOut(peer, 444, false)) << peer;
    EXPECT_FALSE(TcpOut(peer, 3389, false)) << peer;
    EXPECT_TRUE(EchoReturns(lab_.host, {lab_.peer, peer}, kExpectArrival)) << peer;
    EXPECT_TRUE(Established(lab_.host, {lab_.peer, peer, 443}).Reaches(false, kExpectArrival)) << peer;
  }
  for (const char* host : {"10.9.0.1", "fd09::1"}) {
    EXPECT_TRUE(TcpIn(host, 3389, true)) << host;
    EXPECT_FALSE(TcpIn(host, 443, false)) << host;
    EXPECT_FALSE(EchoReturns(lab_.peer, {lab_.host, host}, kExpectNothing)) << host;
    EXPECT_TRUE(Established(lab_.peer, {lab_.host, host, 3389}).Reaches(false, kExpectArrival)) << host;
  }
}

TEST_F(OpenMatrix, ControllerOnlyShutsTheProfile) {
  Apply(Level::kControllerOnly);
  EXPECT_FALSE(TcpOut("10.9.0.2", 443, false));
  EXPECT_FALSE(TcpIn("10.9.0.1", 3389, false));
}

// The controller's permit is the agent's: nobody else can use its address and port as a pipe.
TEST_F(OpenMatrix, TheControllerIsOpenToTheAgentsSocketsOnly) {
  for (const Level level : {Level::kEssential, Level::kControllerOnly}) {
    Apply(level);
    for (const char* peer : {"10.9.0.2", "fd09::2"}) {
      EXPECT_TRUE(TcpOut(peer, 7443, true, kAgentSocketMark)) << peer;
      EXPECT_TRUE(
          Established(lab_.host, {lab_.peer, peer, 7443}, kAgentSocketMark).Reaches(false, kExpectArrival));
      EXPECT_FALSE(TcpOut(peer, 7443, false)) << peer << ": another program";
      EXPECT_FALSE(TcpOut(peer, 7444, false, kAgentSocketMark)) << peer << ": another port";
    }
    EXPECT_FALSE(TcpIn("10.9.0.1", 7443, false));
  }
  Apply(Level::kDark);
  EXPECT_FALSE(TcpOut("10.9.0.2", 7443, false, kAgentSocketMark));
}

// A permit outwards is no hole inwards: packets from the permitted port open nothing.
TEST_F(OpenMatrix, APermitOutIsNoWayIn) {
  const Destination local_service{lab_.host, "10.9.0.1", 161};
  EXPECT_TRUE(UdpArrives(lab_.peer, local_service, kExpectArrival, 5353)) << "the positive control";
  Apply(Level::kEssential);
  EXPECT_FALSE(UdpArrives(lab_.peer, local_service, kExpectNothing, 5353));
}

TEST_F(OpenMatrix, LoopbackWorksAtEveryLevel) {
  for (const Level level : kAllLevels) {
    Apply(level);
    EXPECT_TRUE(TcpArrives(lab_.host, {lab_.host, "127.0.0.1", 445}, kExpectArrival));
    EXPECT_TRUE(TcpArrives(lab_.host, {lab_.host, "::1", 445}, kExpectArrival));
    EXPECT_TRUE(UdpArrives(lab_.host, {lab_.host, "10.9.0.1", 137}, kExpectArrival))
        << "the host's own address";
  }
}

TEST_F(OpenMatrix, NeighbourDiscoveryWorksUpToControllerOnlyAndDarkIsDark) {
  for (const Level level : {Level::kEssential, Level::kControllerOnly}) {
    Apply(level);
    lab_.host.Ip("neigh flush all");
    lab_.peer.Ip("neigh flush all");
    EXPECT_TRUE(TcpOut("10.9.0.2", 7443, true, kAgentSocketMark)) << "by ARP";
    EXPECT_TRUE(TcpOut("fd09::2", 7443, true, kAgentSocketMark)) << "by NDP";
  }
  Apply(Level::kDark);
  lab_.peer.Ip("neigh flush all");
  EchoReturns(lab_.peer, {lab_.host, "10.9.0.1"}, kExpectNothing);
  EXPECT_EQ(lab_.peer.Ip("neigh show to 10.9.0.1").find("lladdr"), std::string::npos);
}

TEST_F(OpenMatrix, DhcpPassesAndItsPortsAreNoTunnel) {
  Apply(Level::kControllerOnly);
  EXPECT_TRUE(FrameArrives(lab_.peer, {"eth0", "10.9.0.2"}, {lab_.host, "10.9.0.1", 68}, kExpectNothing) ==
              false)
      << "not from port 67";
  EXPECT_TRUE(UdpArrives(lab_.peer, {lab_.host, "10.9.0.1", 68}, kExpectArrival, 67));
  EXPECT_FALSE(UdpArrives(lab_.host, {lab_.peer, "10.9.0.2", 67}, kExpectNothing, 68)) << "broadcast only";
}

TEST_F(OpenMatrix, NoLateralLeavesOrdinaryWorkAlone) {
  Apply(Level::kNoLateral);
  EXPECT_TRUE(TcpOut("10.9.0.2", 8080, true));
  EXPECT_TRUE(TcpIn("10.9.0.1", 8080, true));
  EXPECT_TRUE(TcpIn("10.9.0.1", 3389, true)) << "an exception of the profile";
  EXPECT_FALSE(TcpOut("10.9.0.2", 3389, false)) << "in its direction only";
  EXPECT_TRUE(UdpArrives(lab_.container, {lab_.peer, "10.9.0.2", 5353}, kExpectArrival));
}

TEST_F(OpenMatrix, DropsAreCounted) {
  Apply(Level::kDark);
  const FilterPolicy dark{.level = Level::kDark};
  const auto dropped = [&] { return lab_.filter->ReadBack(dark).value().dropped_packets; };
  const uint64_t before = dropped();
  for (int i = 0; i < 5; ++i) UdpArrives(lab_.host, {lab_.peer, "10.9.0.2", 9}, std::chrono::milliseconds(0));
  EXPECT_GE(dropped(), before + 5);
}

}  // namespace
}  // namespace cordon::testing
