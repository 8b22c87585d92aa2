// The leak matrix of isolation against the model of WFP: for every level, each kind of packet that the
// agent's own judge forbids must be stopped, and each that it allows must pass. The two were written apart.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/isolation/evaluate.h"
#include "common/base/strings.h"
#include "platform/api/program_marks.h"
#include "platform/windows/packet_filter/arbitration.h"
#include "tests/support/policies.h"
#include "tests/unit/platform_windows/lists.h"

namespace cordon::platform::wfp {
namespace {

using ::cordon::testing::ClinicPolicy;
using ::cordon::testing::LevelName;

constexpr const char* kPeersV4[] = {"10.2.0.7",     "10.3.0.5",       "10.4.0.3",  "10.9.0.9",
                                    "10.77.0.66",   "192.168.1.9",    "192.0.2.7", "203.0.113.5",
                                    "203.0.113.10", "255.255.255.255"};
constexpr const char* kPeersV6[] = {"fd00::7",     "fd00:4::3",     "fd09::9",          "fe80::9",
                                    "2001:db8::7", "2001:db8:2::1", "2001:db8:ffff::1", "ff02::1:2"};
constexpr uint16_t kPorts[] = {22,   53,   67,   80,   123,  135,  443,  445,  547,
                               3389, 5060, 5985, 7443, 7777, 7778, 8080, 47001};

enum class Actor { kOther, kAgent, kImaging };

struct Cell {
  Connection flow;
  Packet packet;
  std::string name;
};

uint32_t Number(FlowProtocol protocol, bool v6) {
  if (protocol == FlowProtocol::kIcmpEcho) return v6 ? 58 : 1;
  return protocol == FlowProtocol::kTcp ? 6 : 17;
}

Cell MakeCell(FlowProtocol protocol, FlowDirection opened, FlowDirection way, const Endpoint& local,
              const Endpoint& remote, Actor actor, uint32_t imaging_tag) {
  const bool v6 = remote.address.is_v6();
  const bool agent = actor == Actor::kAgent;
  Cell cell;
  cell.flow = {
      .protocol = protocol, .direction = opened, .local = local, .remote = remote, .agent_owned = agent};
  if (actor == Actor::kImaging) cell.flow.program_tag = imaging_tag;
  cell.packet = {.way = way,
                 .opened = opened,
                 .protocol = Number(protocol, v6),
                 .local = local,
                 .remote = remote,
                 .program = agent                      ? kAgent
                            : actor == Actor::kImaging ? kImaging
                                                       : kOther,
                 .service = agent ? kAgentService : ""};
  if (protocol == FlowProtocol::kIcmpEcho) {
    // At the ALE layer the request is asked for; at the transport layer the packet itself.
    const bool request = way == opened;
    cell.packet.local.port = v6 ? (request ? 128 : 129) : (request ? 8 : 0);
    cell.packet.remote.port = 0;
  }
  cell.name = StrCat(Number(protocol, v6), opened == FlowDirection::kOut ? " opened out" : " opened in",
                     way == FlowDirection::kOut ? ", leaves " : ", arrives ", FormatEndpoint(local), " ",
                     FormatEndpoint(remote),
                     agent                      ? " agent"
                     : actor == Actor::kImaging ? " imaging"
                                                : "");
  return cell;
}

// Every combination of protocol, opener, way, peer, port and program.
std::vector<Cell> Matrix(const FilterPolicy& policy) {
  std::vector<Cell> cells;
  std::vector<Endpoint> peers;
  for (const uint16_t port : kPorts) {
    for (const char* const peer : kPeersV4) peers.push_back(At(peer, port));
    for (const char* const peer : kPeersV6) peers.push_back(At(peer, port));
  }
  peers.insert(peers.end(), policy.controllers.begin(), policy.controllers.end());
  for (const Endpoint& peer : peers) {
    const auto host = boost::asio::ip::make_address(peer.address.is_v6() ? "fd00::5" : "10.0.0.5");
    for (const FlowProtocol protocol : {FlowProtocol::kTcp, FlowProtocol::kUdp, FlowProtocol::kIcmpEcho})
      for (const FlowDirection opened : {FlowDirection::kOut, FlowDirection::kIn})
        for (const FlowDirection way : {FlowDirection::kOut, FlowDirection::kIn})
          for (const Actor actor : {Actor::kOther, Actor::kAgent, Actor::kImaging}) {
            // The listed port is the accepting side's; clients come from a high one, DHCP's from its own.
            const uint16_t client = peer.port == 67 ? 68 : peer.port == 547 ? 546 : 50000;
            const bool out = opened == FlowDirection::kOut;
            cells.push_back(MakeCell(protocol, opened, way, {host, out ? client : peer.port},
                                     {peer.address, out ? peer.port : client}, actor,
                                     ProgramTag(policy.programs.at(0))));
          }
  }
  return cells;
}

// ICMP: reply packets are judged at ALE by the flow's request.
bool ModelPasses(const std::vector<Sublayer>& sublayers, Phase phase, const Cell& cell) {
  if (cell.flow.protocol != FlowProtocol::kIcmpEcho) return Judge(sublayers, phase, cell.packet).passes;
  Packet request = cell.packet;
  const bool v6 = cell.packet.remote.address.is_v6();
  request.local.port = v6 ? 128 : 8;
  const std::vector<Layer> layers = LayersOf(cell.packet);
  return JudgeLayer(sublayers, layers[0], phase, request).passes &&
         JudgeLayer(sublayers, layers[1], phase, cell.packet).passes;
}

// DHCP is judged by packet, not by flow: a server's answer is a flow of its own for the judge.
bool IsDhcp(const Cell& cell) {
  const uint16_t port = cell.flow.remote.port;
  const uint16_t own = cell.flow.local.port;
  return cell.flow.protocol == FlowProtocol::kUdp &&
         (port == 67 || port == 547 || own == 67 || own == 547 || own == 68 || own == 546);
}

class WfpLeakMatrix : public ::testing::TestWithParam<Level> {};

TEST_P(WfpLeakMatrix, StopsWhatTheJudgeForbidsAndPassesWhatItAllows) {
  const FilterPolicy policy = ClinicPolicy(GetParam());
  const std::vector<Sublayer> sublayers = {OurSublayer(policy)};
  size_t forbidden = 0;
  size_t allowed = 0;
  for (const Cell& cell : Matrix(policy)) {
    if (IsDhcp(cell)) continue;
    const bool passes = ModelPasses(sublayers, Phase::kEngineRuns, cell);
    const bool should = agent::Allows(policy, cell.flow);
    EXPECT_EQ(passes, should) << cell.name;
    ++(should ? allowed : forbidden);
  }
  // The positive control: the matrix has both kinds wherever the level does.
  if (GetParam() != Level::kObserve) {
    EXPECT_GT(forbidden, 1000U);
  }
  if (GetParam() != Level::kDark) {
    EXPECT_GT(allowed, 0U);
  }
}

// ISO-1: one commit stands between two lists, so what both levels say of a packet is said all the time.
TEST_P(WfpLeakMatrix, ISO1_AChangeOfLevelLeavesWhatBothLevelsSayOfAPacket) {
  const FilterPolicy before = ClinicPolicy(GetParam());
  const std::vector<Cell> cells = Matrix(before);
  const std::vector<Sublayer> from = {OurSublayer(before)};
  for (const Level next : testing::kAllLevels) {
    if (next == GetParam()) continue;
    const FilterPolicy after = ClinicPolicy(next);
    const std::vector<Sublayer> to = {OurSublayer(after)};
    for (const Cell& cell : cells) {
      if (IsDhcp(cell) || agent::Allows(before, cell.flow) != agent::Allows(after, cell.flow)) continue;
      EXPECT_EQ(ModelPasses(from, Phase::kEngineRuns, cell), ModelPasses(to, Phase::kEngineRuns, cell))
          << LevelName(next) << ": " << cell.name;
    }
  }
}

// ISO-5: before the engine's service runs nothing passes that would not pass afterwards.
TEST_P(WfpLeakMatrix, ISO5_BootTimeFiltersOpenNoMoreThanTheLevel) {
  const FilterPolicy policy = ClinicPolicy(GetParam());
  const std::vector<Sublayer> sublayers = {OurSublayer(policy)};
  for (const Cell& cell : Matrix(policy)) {
    if (ModelPasses(sublayers, Phase::kBeforeEngine, cell)) {
      EXPECT_TRUE(ModelPasses(sublayers, Phase::kEngineRuns, cell)) << cell.name;
    }
  }
}

// Whatever others permit below Cordon's sub-layer, hard or not, opens nothing; nor do they cut the channel.
TEST_P(WfpLeakMatrix, ForeignFiltersBelowChangeNothing) {
  const FilterPolicy policy = ClinicPolicy(GetParam());
  if (GetParam() == Level::kObserve) return;
  for (const Action foreign : {Action::kPermit, Action::kHardPermit, Action::kBlock}) {
    Sublayer other{.name = "foreign", .weight = 0xfffe, .filters = {}};
    for (const Stage stage : kStages)
      for (const bool v6 : {false, true})
        other.filters.push_back({.name = "all", .layer = {stage, v6}, .action = foreign, .weight = 1});
    const std::vector<Sublayer> ours = {OurSublayer(policy)};
    const std::vector<Sublayer> all = {other, ours.front()};
    for (const Cell& cell : Matrix(policy)) {
      const bool alone = ModelPasses(ours, Phase::kEngineRuns, cell);
      const bool both = ModelPasses(all, Phase::kEngineRuns, cell);
      if (!alone) {
        EXPECT_FALSE(both) << cell.name;
      }
      const bool channel = agent::Judge(policy, cell.flow).reason == agent::VerdictReason::kController;
      if (alone && (channel || foreign != Action::kBlock)) {
        EXPECT_TRUE(both) << cell.name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, WfpLeakMatrix, ::testing::ValuesIn(testing::kAllLevels),
                         [](const auto& level) {
                           std::string name = LevelName(level.param);
                           std::erase(name, '-');
                           return name;
                         });

Packet Datagram(FlowDirection way, const char* local, uint16_t from, const char* remote, uint16_t to) {
  return {.way = way,
          .opened = way,
          .protocol = 17,
          .local = At(local, from),
          .remote = At(remote, to),
          .program = kOther};
}

Packet Icmp6(FlowDirection way, uint16_t type, const char* remote) {
  return {.way = way,
          .opened = way,
          .protocol = 58,
          .local = At("fe80::5", type),
          .remote = At(remote, 0),
          .program = kOther};
}

bool PassesAt(Level level, const Packet& packet, Phase phase = Phase::kEngineRuns) {
  return Judge({OurSublayer(ClinicPolicy(level))}, phase, packet).passes;
}

TEST(WfpUpkeep, DhcpIsExact) {
  using enum FlowDirection;
  for (const Phase phase : {Phase::kBeforeEngine, Phase::kEngineRuns}) {
    EXPECT_TRUE(PassesAt(Level::kEssential, Datagram(kOut, "0.0.0.0", 68, "255.255.255.255", 67), phase));
    EXPECT_TRUE(PassesAt(Level::kEssential, Datagram(kIn, "10.0.0.5", 68, "10.0.0.1", 67), phase));
    EXPECT_TRUE(PassesAt(Level::kEssential, Datagram(kOut, "fe80::5", 546, "ff02::1:2", 547), phase));
    EXPECT_TRUE(PassesAt(Level::kEssential, Datagram(kIn, "fe80::5", 546, "fe80::1", 547), phase));
    EXPECT_FALSE(PassesAt(Level::kEssential, Datagram(kOut, "10.0.0.5", 68, "203.0.113.9", 67), phase));
    EXPECT_FALSE(
        PassesAt(Level::kEssential, Datagram(kOut, "10.0.0.5", 50000, "255.255.255.255", 67), phase));
    EXPECT_FALSE(PassesAt(Level::kEssential, Datagram(kIn, "10.0.0.5", 67, "10.0.0.1", 68), phase));
    EXPECT_FALSE(PassesAt(Level::kEssential, Datagram(kIn, "fe80::5", 546, "2001:db8::1", 547), phase));
    EXPECT_FALSE(PassesAt(Level::kDark, Datagram(kOut, "0.0.0.0", 68, "255.255.255.255", 67), phase));
  }
}

TEST(WfpUpkeep, NeighbourDiscoveryIsExact) {
  using enum FlowDirection;
  EXPECT_TRUE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 135, "ff02::1:ff00:7")));
  EXPECT_TRUE(PassesAt(Level::kControllerOnly, Icmp6(kIn, 136, "fe80::1")));
  EXPECT_TRUE(PassesAt(Level::kControllerOnly, Icmp6(kIn, 134, "fe80::1")));
  EXPECT_TRUE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 133, "ff02::2")));
  EXPECT_TRUE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 143, "ff02::16")));
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 133, "2001:db8::1")));
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, Icmp6(kIn, 134, "2001:db8::1")));
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 134, "fe80::1")));  // this host is no router
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 128, "fe80::1")));
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, Icmp6(kOut, 137, "fe80::1")));
  EXPECT_FALSE(PassesAt(Level::kDark, Icmp6(kOut, 135, "ff02::1:ff00:7")));
}

TEST(WfpLoopback, IsOpenAtEveryLevelAndOnlyByTheEnginesFlag) {
  for (const Level level : testing::kAllLevels) {
    Packet packet = Datagram(FlowDirection::kOut, "127.0.0.1", 50000, "127.0.0.1", 53);
    packet.loopback = true;
    EXPECT_TRUE(PassesAt(level, packet)) << LevelName(level);
    packet.loopback = false;  // the address alone, as somebody could forge it
    if (level >= Level::kEssential) {
      EXPECT_FALSE(PassesAt(level, packet)) << LevelName(level);
    }
  }
}

TEST(WfpOther, ProtocolsThatNobodyNamedAreStopped) {
  for (const uint32_t protocol : {2U, 41U, 47U, 50U, 132U}) {
    Packet packet = Datagram(FlowDirection::kOut, "10.0.0.5", 0, "203.0.113.9", 0);
    packet.protocol = protocol;
    EXPECT_FALSE(PassesAt(Level::kEssential, packet)) << protocol;
    EXPECT_TRUE(PassesAt(Level::kNoLateral, packet)) << protocol;
  }
}

TEST(WfpForward, PassesOnlyWhereNothingLateralCanHide) {
  Packet packet = Datagram(FlowDirection::kOut, "172.20.0.2", 50000, "10.0.0.9", 80);
  packet.forwarded = true;
  EXPECT_TRUE(PassesAt(Level::kObserve, packet));
  for (const Level level : {Level::kNoLateral, Level::kEssential, Level::kControllerOnly, Level::kDark})
    EXPECT_FALSE(PassesAt(level, packet)) << LevelName(level);
  packet.remote = At("203.0.113.9", 443);
  EXPECT_TRUE(PassesAt(Level::kNoLateral, packet));
  EXPECT_FALSE(PassesAt(Level::kEssential, packet));
}

TEST(WfpChannel, NeedsTheAgentsProgramAndItsService) {
  const FilterPolicy policy = ClinicPolicy(Level::kControllerOnly);
  ASSERT_FALSE(policy.controllers.empty());
  Packet packet{.protocol = 6,
                .local = {boost::asio::ip::make_address("10.0.0.5"), 50000},
                .remote = policy.controllers.front(),
                .program = kAgent,
                .service = kAgentService};
  EXPECT_TRUE(PassesAt(Level::kControllerOnly, packet));
  packet.service = "";  // the same file, started by somebody
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, packet));
  packet.service = kAgentService;
  packet.program = kOther;
  EXPECT_FALSE(PassesAt(Level::kControllerOnly, packet));
}

TEST(WfpNames, PortFiftyThreeIsForTheAgentAndTheResolvers) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  policy.dns = DnsRedirect{.guard_port = 53, .resolvers = {At("10.2.0.53", 53)}};
  policy.allow.push_back(testing::Allow(FlowDirection::kOut, FlowProtocol::kUdp, {"10.2.0.0/16"}, {}));
  const std::vector<Sublayer> sublayers = {OurSublayer(policy)};
  Packet packet = Datagram(FlowDirection::kOut, "10.0.0.5", 50000, "10.2.0.53", 53);
  EXPECT_FALSE(Judge(sublayers, Phase::kEngineRuns, packet).passes);
  packet.program = kAgent;
  packet.service = kAgentService;
  EXPECT_TRUE(Judge(sublayers, Phase::kEngineRuns, packet).passes);
  packet.remote = At("10.2.0.54", 53);
  EXPECT_FALSE(Judge(sublayers, Phase::kEngineRuns, packet).passes);
}

TEST(WfpNames, ISO4_WithoutAGuardTheAgentAloneAsksForTheControllersNames) {
  for (const Level level : {Level::kEssential, Level::kControllerOnly}) {
    FilterPolicy policy = ClinicPolicy(level);
    policy.allow.clear();
    Packet packet = Datagram(FlowDirection::kOut, "10.0.0.5", 50000, "10.2.0.53", 53);
    packet.program = kAgent;
    packet.service = kAgentService;
    EXPECT_FALSE(Judge({OurSublayer(policy)}, Phase::kEngineRuns, packet).passes);
    policy.resolvers = {At("10.2.0.53", 53)};
    EXPECT_TRUE(Judge({OurSublayer(policy)}, Phase::kEngineRuns, packet).passes);
    packet.program = kOther;
    EXPECT_FALSE(Judge({OurSublayer(policy)}, Phase::kEngineRuns, packet).passes);
    packet.program = kAgent;
    packet.remote = At("10.2.0.54", 53);
    EXPECT_FALSE(Judge({OurSublayer(policy)}, Phase::kEngineRuns, packet).passes);
  }
}

// Windows' DNS client runs in svchost.exe, and its rule names loopback addresses of the guard.
TEST(WfpNames, TheSystemsClientReachesTheGuardOnLoopbackAndNoOtherServer) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  policy.dns = DnsRedirect{.guard_port = 53, .resolvers = {At("10.2.0.53", 53)}};
  const std::vector<Sublayer> sublayers = {OurSublayer(policy)};
  for (const char* guard : {"127.67.79.53", "::1"}) {
    for (const FlowDirection direction : {FlowDirection::kOut, FlowDirection::kIn}) {
      Packet packet = direction == FlowDirection::kOut ? Datagram(direction, guard, 50000, guard, 53)
                                                       : Datagram(direction, guard, 53, guard, 50000);
      packet.program = R"(\device\harddiskvolume3\windows\system32\svchost.exe)";
      EXPECT_FALSE(Judge(sublayers, Phase::kEngineRuns, packet).passes) << guard;
      packet.loopback = true;
      EXPECT_TRUE(Judge(sublayers, Phase::kEngineRuns, packet).passes) << guard;
    }
  }
}

}  // namespace
}  // namespace cordon::platform::wfp
