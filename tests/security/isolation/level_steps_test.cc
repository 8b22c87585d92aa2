// ISO-1 under a packet pump: steps between any two levels, each packet judged on the other side.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "agent/isolation/program_binding.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/connections.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/caller.h"
#include "tests/support/policies.h"
#include "tests/support/soak.h"
#include "tests/support/step_pump.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;
using Verdict = StepPump::Verdict;

// From this level up, packets to the port are forbidden.
struct Kind {
  const char* name;
  uint16_t port;
  Level closed_from;
  bool tcp = false;
};
constexpr Kind kProfile{"profile", 5353, Level::kControllerOnly};
constexpr Kind kOrdinary{"ordinary", 4000, Level::kEssential};
constexpr Kind kLateral{"lateral", 137, Level::kNoLateral};
constexpr Kind kTcpProfile{"TCP profile", 8443, Level::kControllerOnly, true};
constexpr Kind kTcpOrdinary{"TCP ordinary", 4001, Level::kEssential, true};
constexpr Kind kTcpLateral{"TCP lateral", 445, Level::kNoLateral, true};
// Past the inet hooks: a neighbour by macvlan, which only the uplink's hooks stop.
constexpr Kind kNeighbour{"lateral", 138, Level::kNoLateral};
// What names and programs open.
constexpr Kind kNamed{"by name", 5354, Level::kControllerOnly};
constexpr Kind kLateralByName{"lateral by name", 3389, Level::kControllerOnly};
constexpr Kind kProgram{"this program", 7778, Level::kControllerOnly};
constexpr Kind kLateralOfOther{"lateral of another program", 139, Level::kNoLateral};
constexpr Kind kOther{"another program", 7779, Level::kEssential};
constexpr Kind kDns{"DNS", 53, Level::kEssential};  // led to the guard, when there are names

platform::FilterRule For(const Kind& kind, FlowDirection direction,
                         const std::vector<std::string>& networks) {
  return Allow(direction, kind.tcp ? FlowProtocol::kTcp : FlowProtocol::kUdp, networks,
               {{kind.port, kind.port}});
}

FilterPolicy Policy(Level level) {
  const bool has_profile = level == Level::kNoLateral || level == Level::kEssential;
  FilterPolicy policy{.level = level, .allow = {}, .controllers = {}};
  // More than one address: a look-up in a set, which is what a transaction could take away under a packet.
  if (has_profile) {
    const std::vector<std::string> networks = {"10.9.0.2", "10.99.0.0/16", "fd09::2", "fd99::/64"};
    policy.allow = {For(kProfile, FlowDirection::kBoth, networks),
                    For(kTcpProfile, FlowDirection::kBoth, networks)};
    policy.allow[0].ports.push_back({7777, 7777});
    // So many that they stand in named sets, which the change fills over netlink.
    for (uint32_t at = 0; at < 200; ++at) {
      policy.allow[0].networks.push_back({boost::asio::ip::address_v4(0xc6120000U + 2 * at), 32});
      policy.allow[0].networks.push_back(ParseNetwork(StrCat("fd98::", 2 * at)).value());
    }
  }
  return policy;
}

// The same with rules by name and for programs: this test's own, and another.
FilterPolicy RichPolicy(Level level) {
  FilterPolicy policy = Policy(level);
  if (policy.allow.empty()) return policy;
  policy.programs = {{.path = std::filesystem::read_symlink("/proc/self/exe"), .sha256 = {}},
                     {.path = "/usr/bin/env", .sha256 = {}}};
  const std::vector<std::string> networks = {"10.9.0.0/24", "fd09::/64"};
  policy.allow.push_back(OfProgram(For(kProgram, FlowDirection::kBoth, networks), 0));
  policy.allow.push_back(OfProgram(For(kOther, FlowDirection::kBoth, networks), 1));
  policy.allow.push_back(OfProgram(For(kLateralOfOther, FlowDirection::kBoth, networks), 1));
  for (const Kind& kind : {kNamed, kLateralByName}) {
    policy.allow.push_back(For(kind, FlowDirection::kOut, {}));
    policy.allow.back().name_set = 0;
  }
  platform::NameSet& names = policy.name_sets.emplace_back();
  for (const char* address : {"10.9.0.2", "10.9.0.77", "fd09::2", "fd09::77"})
    names.addresses.push_back(boost::asio::ip::make_address(address));
  if (level == Level::kEssential) policy.dns = platform::DnsRedirect{.guard_port = 1011, .resolvers = {}};
  return policy;
}

// A walk that begins and ends at `start` and takes each step between two levels once, the step from a level
// to itself too: an Euler circuit, drawn at random. Its first step is to essential, which then finds nothing
// prepared: neither sets nor marks of an earlier step.
std::vector<Level> EveryStepOnce(Level start, std::mt19937& random) {
  std::map<Level, std::vector<Level>> left;
  for (const Level from : kAllLevels) {
    left[from].assign(std::begin(kAllLevels), std::end(kAllLevels));
    std::ranges::shuffle(left[from], random);
  }
  std::vector<Level> walk;
  std::vector<Level> under_way = {start};
  while (!under_way.empty()) {
    std::vector<Level>& next = left[under_way.back()];
    if (next.empty()) {
      walk.push_back(under_way.back());
      under_way.pop_back();
    } else {
      const Level to = next.back();
      next.pop_back();
      under_way.push_back(to);
    }
  }
  std::ranges::reverse(walk);
  walk.erase(walk.begin());
  const auto first = std::ranges::adjacent_find(
      walk, [&](Level from, Level to) { return from == start && to == Level::kEssential; });
  if (first != walk.end()) std::ranges::rotate(walk, first + 1);
  return walk;
}

class LevelSteps : public ::testing::Test {
 protected:
  LevelSteps() {
    const LinkEnd host{lab_.host, "up0", {"10.9.0.1", "fd09::1"}};
    const LinkEnd peer{lab_.peer, "eth0", {"10.9.0.2", "fd09::2"}};
    KnowNeighbour(lab_.host, "up0", peer);
    KnowNeighbour(lab_.peer, "eth0", host);
    KnowNeighbour(lab_.guest, "mv0", peer);
    for (const Kind& kind : {kProfile, kOrdinary, kLateral, kTcpProfile, kTcpOrdinary, kTcpLateral})
      AddAllWays(kind);
    Add("macvlan out", kNeighbour, lab_.guest, lab_.peer, "10.9.0.2");
  }

  void AddOut(const Kind& kind) {
    Add("4 out", kind, lab_.host, lab_.peer, "10.9.0.2");
    Add("6 out", kind, lab_.host, lab_.peer, "fd09::2");
  }
  void AddAllWays(const Kind& kind) {
    AddOut(kind);
    Add("4 in", kind, lab_.peer, lab_.host, "10.9.0.1");
    Add("6 in", kind, lab_.peer, lab_.host, "fd09::1");
  }
  void Add(const std::string& way, const Kind& kind, const NetNamespace& from, const NetNamespace& to,
           const std::string& address) {
    kinds_.push_back(kind);
    flows_.push_back({.name = StrCat(kind.name, " ", way),
                      .from = from,
                      .to = to,
                      .address = address,
                      .port = kind.port,
                      .tcp = kind.tcp});
  }

  // What ISO-1 says of a packet that is sent while the level goes from one to another.
  Verdict Judge(size_t flow, int step) const {
    const Level from = levels_[static_cast<size_t>(std::max(step - 1, 0))];
    const Level to = levels_[static_cast<size_t>(step)];
    const Level closed_from = kinds_[flow].closed_from;
    if (from < closed_from && to < closed_from) return Verdict::kMustArrive;
    if (from >= closed_from && to >= closed_from) return Verdict::kMustNotArrive;
    return Verdict::kEither;
  }

  using Change = std::function<absl::Status(Level)>;
  Change ApplyPlainPolicy() {
    return [this](Level level) { return lab_.filter->Apply(Policy(level)); };
  }

  void Walk(int steps, const std::function<Level(Level)>& next, const Change& change) {
    StepPump pump(flows_);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // step 0: all is open
    for (int step = 0; step < steps; ++step) {
      const Level level = next(levels_.back());
      levels_.push_back(level);
      pump.NextStep();
      const absl::Status applied = change(level);
      ASSERT_TRUE(applied.ok()) << applied;
      if (step % 7 == 0) {
        ASSERT_TRUE(lab_.filter->Tidy().ok());
      }
    }
    counts_ = pump.Stop([&](size_t flow, int step) { return Judge(flow, step); });
    uint64_t judged = 0;
    for (size_t at = 0; at < counts_.size(); ++at) {
      const StepPump::Count& count = counts_[at];
      EXPECT_EQ(count.not_received, 0U) << "the test's own receiver was too slow for " << flows_[at].name;
      EXPECT_EQ(count.lost, 0U) << count.first_failure;
      EXPECT_EQ(count.leaked, 0U) << count.first_failure;
      EXPECT_GT(count.had_to_arrive, 0U) << flows_[at].name << ": the positive control";
      if (kinds_[at].closed_from == Level::kNoLateral) {
        EXPECT_GT(count.had_to_be_stopped, 0U) << flows_[at].name;
      }
      judged += count.had_to_arrive + count.had_to_be_stopped;
    }
    printf("level steps: %d, packets judged: %lu\n", steps, static_cast<unsigned long>(judged));
  }

  // In circuits, each of which takes every step once.
  void WalkEveryStep(int circuits, const Change& change) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<Level> walk;
    for (int circuit = 0; circuit < circuits; ++circuit) {
      const std::vector<Level> more = EveryStepOnce(Level::kObserve, random);
      walk.insert(walk.end(), more.begin(), more.end());
    }
    size_t at = 0;
    Walk(static_cast<int>(walk.size()), [&](Level) { return walk[at++]; }, change);
    for (size_t flow = 0; flow < counts_.size(); ++flow)
      EXPECT_GT(counts_[flow].had_to_be_stopped, 0U) << flows_[flow].name;
    std::map<std::pair<Level, Level>, int> taken;
    for (size_t step = 1; step < levels_.size(); ++step) ++taken[{levels_[step - 1], levels_[step]}];
    for (const Level from : kAllLevels) {
      for (const Level to : kAllLevels) {
        EXPECT_EQ((taken[{from, to}]), circuits) << LevelName(from) << " to " << LevelName(to);
      }
    }
  }

  Lab lab_;
  std::vector<Kind> kinds_;
  std::vector<StepPump::FlowSpec> flows_;
  std::vector<Level> levels_ = {Level::kObserve};
  std::vector<StepPump::Count> counts_;  // of each flow, after a walk
};

TEST_F(LevelSteps, ISO1_RandomStepsPassNothingThatBothForbidAndDropNothingThatBothAllow) {
  WalkEveryStep(StormCount(6, 40), ApplyPlainPolicy());
}

TEST_F(LevelSteps, ISO1_StepsWithNamesAndProgramsPassNothingThatBothForbidAndDropNothingThatBothAllow) {
  for (const Kind& kind : {kProgram, kOther, kLateralOfOther}) AddAllWays(kind);
  for (const Kind& kind : {kNamed, kLateralByName, kDns}) AddOut(kind);
  const MarksOf marks(lab_.host);
  agent::ProgramBinding programs(marks.Get());
  std::unique_ptr<platform::ConnectionTable> connections;
  {
    const InNetNamespace inside(lab_.host);
    connections = platform::MakeConnectionTable();
  }
  bool redirected = false;
  // As agent/isolation puts a level in force.
  WalkEveryStep(StormCount(2, 40), [&](Level level) -> absl::Status {
    const FilterPolicy policy = RichPolicy(level);
    CORDON_RETURN_IF_ERROR(programs.Widen(policy.programs));
    CORDON_RETURN_IF_ERROR(lab_.filter->Apply(policy));
    CORDON_RETURN_IF_ERROR(programs.Settle(policy.programs));
    if (std::exchange(redirected, policy.dns.has_value()) == policy.dns.has_value()) return absl::OkStatus();
    return connections->ForgetTrackedFlows();
  });
}

// Where sets decide on both sides, again and again: what a transaction could take away under a packet shows
// here.
TEST_F(LevelSteps, ISO1_BackAndForthBetweenClosedLevels) {
  int step = 0;
  const Level order[] = {Level::kNoLateral, Level::kEssential, Level::kNoLateral, Level::kControllerOnly};
  Walk(StormCount(100, 1'000), [&](Level) { return order[step++ % 4]; }, ApplyPlainPolicy());
}

}  // namespace
}  // namespace cordon::testing
