// ISO-1 under a packet pump: steps between any two levels, each packet judged on the other side.

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <sstream>
#include <thread>

#include "common/base/strings.h"
#include "tests/integration/isolation/lab.h"
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
};
constexpr Kind kProfile{"profile", 5353, Level::kControllerOnly};
constexpr Kind kOrdinary{"ordinary", 4000, Level::kEssential};
constexpr Kind kLateral{"lateral", 137, Level::kNoLateral};

FilterPolicy Policy(Level level) {
  const bool has_profile = level == Level::kNoLateral || level == Level::kEssential;
  FilterPolicy policy{.level = level, .allow = {}, .controllers = {}};
  // More than one address: a look-up in a set, which is what a transaction could take away under a packet.
  if (has_profile) {
    policy.allow = {Allow(FlowDirection::kBoth, FlowProtocol::kUdp,
                          {"10.9.0.2", "10.99.0.0/16", "fd09::2", "fd99::/64"},
                          {{kProfile.port, kProfile.port}, {7777, 7777}})};
    // So many that they stand in named sets, which the change fills over netlink.
    for (uint32_t at = 0; at < 200; ++at) {
      policy.allow[0].networks.push_back({boost::asio::ip::address_v4(0xc6120000U + 2 * at), 32});
      policy.allow[0].networks.push_back(ParseNetwork(StrCat("fd98::", 2 * at)).value());
    }
  }
  return policy;
}

// No packet may wait for an answer of ARP or neighbour discovery, which levels forbid.
void FixNeighbours(const Lab& lab) {
  const auto mac_of = [](const NetNamespace& inside, const std::string& link) {
    std::istringstream line(inside.Ip("-br link show dev " + link));  // name, state, address, flags
    std::string mac;
    line >> mac >> mac >> mac;
    return mac;
  };
  const auto fix = [&](const NetNamespace& inside, const std::string& link, const std::string& address,
                       const std::string& mac) {
    inside.Ip("neigh replace " + address + " lladdr " + mac + " nud permanent dev " + link);
  };
  const std::string host = mac_of(lab.host, "up0");
  const std::string peer = mac_of(lab.peer, "eth0");
  for (const std::string address : {"10.9.0.2", "fd09::2"}) fix(lab.host, "up0", address, peer);
  for (const std::string address : {"10.9.0.1", "fd09::1"}) fix(lab.peer, "eth0", address, host);
  fix(lab.guest, "mv0", "10.9.0.2", peer);
}

class LevelSteps : public ::testing::Test {
 protected:
  LevelSteps() {
    FixNeighbours(lab_);
    for (const Kind& kind : {kProfile, kOrdinary, kLateral}) {
      Add("4 out", kind, lab_.host, lab_.peer, "10.9.0.2");
      Add("4 in", kind, lab_.peer, lab_.host, "10.9.0.1");
      Add("6 out", kind, lab_.host, lab_.peer, "fd09::2");
      Add("6 in", kind, lab_.peer, lab_.host, "fd09::1");
    }
    // Past the inet hooks: a neighbour by macvlan, which only the uplink's hooks stop. Its receiver is its
    // own.
    Kind neighbour = kLateral;
    neighbour.port = 138;
    Add("macvlan out", neighbour, lab_.guest, lab_.peer, "10.9.0.2");
  }

  void Add(const std::string& way, const Kind& kind, const NetNamespace& from, const NetNamespace& to,
           const std::string& address) {
    kinds_.push_back(kind);
    flows_.push_back({.name = std::string(kind.name) + " " + way,
                      .from = from,
                      .to = to,
                      .address = address,
                      .port = kind.port});
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

  void Walk(int steps, const std::function<Level(Level)>& next) {
    StepPump pump(flows_);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // step 0: all is open
    for (int step = 0; step < steps; ++step) {
      const Level level = next(levels_.back());
      levels_.push_back(level);
      pump.NextStep();
      const absl::Status applied = lab_.filter->Apply(Policy(level));
      ASSERT_TRUE(applied.ok()) << applied;
      if (step % 7 == 0) {
        ASSERT_TRUE(lab_.filter->Tidy().ok());
      }
    }
    const auto counts = pump.Stop([&](size_t flow, int step) { return Judge(flow, step); });
    uint64_t judged = 0;
    for (size_t at = 0; at < counts.size(); ++at) {
      EXPECT_EQ(counts[at].not_received, 0U)
          << "the test's own receiver was too slow for " << flows_[at].name;
      EXPECT_EQ(counts[at].lost, 0U) << counts[at].first_failure;
      EXPECT_EQ(counts[at].leaked, 0U) << counts[at].first_failure;
      EXPECT_GT(counts[at].had_to_arrive, 0U) << flows_[at].name << ": the positive control";
      if (kinds_[at].closed_from == Level::kNoLateral) {
        EXPECT_GT(counts[at].had_to_be_stopped, 0U) << flows_[at].name;
      }
      judged += counts[at].had_to_arrive + counts[at].had_to_be_stopped;
    }
    printf("level steps: %d, packets judged: %lu\n", steps, static_cast<unsigned long>(judged));
  }

  Lab lab_;
  std::vector<Kind> kinds_;
  std::vector<StepPump::FlowSpec> flows_;
  std::vector<Level> levels_ = {Level::kObserve};
};

TEST_F(LevelSteps, ISO1_RandomStepsPassNothingThatBothForbidAndDropNothingThatBothAllow) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Walk(StormCount(150, 1'000), [&](Level) { return kAllLevels[random() % std::size(kAllLevels)]; });
}

// Where sets decide on both sides, again and again: what a transaction could take away under a packet shows
// here.
TEST_F(LevelSteps, ISO1_BackAndForthBetweenClosedLevels) {
  int step = 0;
  const Level order[] = {Level::kNoLateral, Level::kEssential, Level::kNoLateral, Level::kControllerOnly};
  Walk(StormCount(100, 1'000), [&](Level) { return order[step++ % 4]; });
}

}  // namespace
}  // namespace cordon::testing
