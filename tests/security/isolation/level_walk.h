#pragma once

// A host that goes from level to level under a packet pump, with a judge for every single packet.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/isolation/program_binding.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/connections.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/caller.h"
#include "tests/support/policies.h"
#include "tests/support/step_pump.h"
#include "tests/support/traffic.h"

namespace cordon::testing {

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
inline constexpr Kind kProfile{"profile", 5353, Level::kControllerOnly};
inline constexpr Kind kOrdinary{"ordinary", 4000, Level::kEssential};
inline constexpr Kind kLateral{"lateral", 137, Level::kNoLateral};
inline constexpr Kind kTcpProfile{"TCP profile", 8443, Level::kControllerOnly, true};
inline constexpr Kind kTcpOrdinary{"TCP ordinary", 4001, Level::kEssential, true};
inline constexpr Kind kTcpLateral{"TCP lateral", 445, Level::kNoLateral, true};
// Past the inet hooks: a neighbour by macvlan, which only the uplink's hooks stop.
inline constexpr Kind kNeighbour{"lateral", 138, Level::kNoLateral};
// What names and programs open.
inline constexpr Kind kNamed{"by name", 5354, Level::kControllerOnly};
inline constexpr Kind kLateralByName{"lateral by name", 3389, Level::kControllerOnly};
inline constexpr Kind kProgram{"this program", 7778, Level::kControllerOnly};
inline constexpr Kind kLateralOfOther{"lateral of another program", 139, Level::kNoLateral};
inline constexpr Kind kOther{"another program", 7779, Level::kEssential};
inline constexpr Kind kDns{"DNS", 53, Level::kEssential};  // led to the guard, when there are names

inline platform::FilterRule For(const Kind& kind, FlowDirection direction,
                                const std::vector<std::string>& networks) {
  return Allow(direction, kind.tcp ? FlowProtocol::kTcp : FlowProtocol::kUdp, networks,
               {{kind.port, kind.port}});
}

inline FilterPolicy Policy(Level level) {
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
inline FilterPolicy RichPolicy(Level level) {
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
inline std::vector<Level> EveryStepOnce(Level start, std::mt19937& random) {
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

class LevelWalk : public ::testing::Test {
 protected:
  void Add(const std::string& way, const Kind& kind, const NetNamespace& from, const NetNamespace& to,
           const std::string& address, std::optional<Frame> frame = std::nullopt) {
    kinds_.push_back(kind);
    flows_.push_back({.name = StrCat(kind.name, " ", way),
                      .from = from,
                      .to = to,
                      .address = address,
                      .port = kind.port,
                      .tcp = kind.tcp,
                      .frame = std::move(frame)});
  }

  // What ISO-1 says of a packet that is sent while the level goes from one to another.
  Verdict VerdictOf(size_t flow, int step) const {
    const Level from = levels_[static_cast<size_t>(std::max(step - 1, 0))];
    const Level to = levels_[static_cast<size_t>(step)];
    const Level closed_from = kinds_[flow].closed_from;
    if (from < closed_from && to < closed_from) return Verdict::kMustArrive;
    if (from >= closed_from && to >= closed_from) return Verdict::kMustNotArrive;
    return Verdict::kEither;
  }

  using Change = std::function<absl::Status(Level)>;

  // As agent/isolation puts a level in force.
  Change ApplyWithPrograms(const std::function<FilterPolicy(Level)>& policy_of) {
    {
      const InNetNamespace inside(lab_.host);
      connections_ = platform::MakeConnectionTable();
    }
    return [this, policy_of, redirected = false](Level level) mutable -> absl::Status {
      const FilterPolicy policy = policy_of(level);
      CORDON_RETURN_IF_ERROR(programs_.Widen(policy.programs));
      CORDON_RETURN_IF_ERROR(lab_.filter->Apply(policy));
      CORDON_RETURN_IF_ERROR(programs_.Settle(policy.programs));
      if (std::exchange(redirected, policy.dns.has_value()) == policy.dns.has_value())
        return absl::OkStatus();
      return connections_->ForgetTrackedFlows();
    };
  }

  static constexpr std::chrono::milliseconds kOnTheWay{2};  // what was sent before a step is there after it

  // `stay`: at each level, so long that what stands after the step is judged for itself, and not only as what
  // the next step leaves from.
  void Walk(int steps, const std::function<Level(Level)>& next, const Change& change, bool stay = false) {
    StepPump pump(flows_);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // step 0: all is open
    for (int step = 0; step < steps; ++step) {
      const Level level = next(levels_.back());
      ++taken_[{levels_.back(), level}];
      levels_.push_back(level);
      pump.NextStep();
      if (stay) std::this_thread::sleep_for(kOnTheWay);
      const absl::Status applied = change(level);
      ASSERT_TRUE(applied.ok()) << applied;
      if (stay) {
        levels_.push_back(level);
        pump.NextStep();
        pump.AwaitARound();
      }
      if (step % 7 == 0) {
        ASSERT_TRUE(lab_.filter->Tidy().ok());
      }
    }
    Judge(&pump, stay);
    printf("level steps: %d\n", steps);
  }

  void Judge(StepPump* pump, bool stay) {
    std::vector<std::vector<int>> sent(flows_.size(), std::vector<int>(levels_.size()));
    counts_ = pump->Stop([&](size_t flow, int step) {
      ++sent[flow][static_cast<size_t>(step)];
      return VerdictOf(flow, step);
    });
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
      for (size_t step = 2; stay && step < levels_.size(); step += 2)
        EXPECT_GT(sent[at][step], 0) << flows_[at].name << " was not tried after step " << step / 2;
    }
    printf("packets judged: %lu\n", static_cast<unsigned long>(judged));
  }

  // In circuits, each of which takes every step once.
  void WalkEveryStep(int circuits, const Change& change, bool stay = false) {
    const unsigned seed = std::random_device()();
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<Level> walk;
    for (int circuit = 0; circuit < circuits; ++circuit) {
      const std::vector<Level> more = EveryStepOnce(Level::kObserve, random);
      walk.insert(walk.end(), more.begin(), more.end());
    }
    size_t at = 0;
    Walk(static_cast<int>(walk.size()), [&](Level) { return walk[at++]; }, change, stay);
    for (size_t flow = 0; flow < counts_.size(); ++flow)
      EXPECT_GT(counts_[flow].had_to_be_stopped, 0U) << flows_[flow].name;
    for (const Level from : kAllLevels) {
      for (const Level to : kAllLevels) {
        EXPECT_EQ((taken_[{from, to}]), circuits) << LevelName(from) << " to " << LevelName(to);
      }
    }
  }

  Lab lab_;
  const MarksOf marks_{lab_.host};
  agent::ProgramBinding programs_{marks_.Get()};
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::vector<Kind> kinds_;
  std::vector<StepPump::FlowSpec> flows_;
  std::vector<Level> levels_ = {Level::kObserve};
  std::map<std::pair<Level, Level>, int> taken_;
  std::vector<StepPump::Count> counts_;  // of each flow, after a walk
};

}  // namespace cordon::testing
