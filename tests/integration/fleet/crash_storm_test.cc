// Agent and controller die at random moments, over and over, while programs run: what is stored and what the
// gaps say is what happened (TEL-1), nothing is stored twice (TEL-2), and the chain is whole (TEL-3).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "platform/api/system.h"
#include "tests/support/exec_storm.h"
#include "tests/support/fleet.h"
#include "tests/support/soak.h"
#include "tests/support/stored_chains.h"

namespace cordon::testing {
namespace {

using std::chrono::milliseconds;

// Sensors see the whole machine: another run's programs must not be taken for this one's.
const std::string& Tag() {
  static const std::string tag = StrCat("crash-storm-", NewUuid());
  return tag;
}

struct Span {
  int64_t first = 0;  // wall time, nanoseconds
  int64_t last = 0;
};

// Runs one short program after the other, some 60 in a second, and writes down when each began and had ended:
// the ground truth. A program's number is its place in the list.
class Load {
 public:
  explicit Load(const Clock& clock) : clock_(clock), thread_([this] { Run(); }) {}
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  std::vector<Span> Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return std::move(runs_);
  }

 private:
  void Run() {
    while (!stop_) {
      Span& run = runs_.emplace_back();
      run.first = clock_.WallNanos();
      if (!RunTiny(Tag(), static_cast<int>(runs_.size() - 1))) std::abort();
      run.last = clock_.WallNanos();
      std::this_thread::sleep_for(milliseconds(15));
    }
  }

  const Clock& clock_;
  std::atomic<bool> stop_ = false;
  std::vector<Span> runs_;
  std::thread thread_;
};

struct Stored {
  std::map<int, int> starts;  // of the load's programs, by number: how often each is stored
  std::vector<v1::Gap> gaps;
  std::string chain_fault;
};

Stored ReadStore(Fleet& fleet, const std::string& host_id) {
  const std::vector<StoredRow> rows = StoredRows(fleet.Folder("controller") / "store.db", host_id);
  Stored stored{
      .starts = StoredPrograms(rows, Tag()), .gaps = TruthOf(rows).gaps, .chain_fault = "nothing is stored"};
  if (!rows.empty()) stored.chain_fault = StoredChainFault(rows, host_id, rows.back().batch.chain_id());
  return stored;
}

bool Covers(const v1::Gap& gap, const Span& run) {
  const bool of_class =
      gap.event_class() == v1::EVENT_CLASS_UNSPECIFIED || gap.event_class() == v1::EVENT_CLASS_PROCESS;
  return of_class && gap.first_time_unix_nanos() <= run.last && run.first <= gap.last_time_unix_nanos();
}

// What is neither stored nor covered by a gap, as text; empty when there is nothing.
std::string Untold(const std::vector<Span>& runs, const Stored& stored) {
  std::string text;
  for (size_t number = 0; number < runs.size(); ++number) {
    if (stored.starts.contains(static_cast<int>(number))) continue;
    const Span& run = runs[number];
    if (std::ranges::any_of(stored.gaps, [&](const v1::Gap& gap) { return Covers(gap, run); })) continue;
    StrAppend(&text, " ", number);
  }
  return text;
}

// Gaps of unknown size could cover everything. So: in each life of the agent, from the first program that it
// told until `kOnItsWay` before its end, every program is stored.
std::string HolesInLives(const std::vector<Span>& runs, const Stored& stored,
                         const std::vector<Span>& lives) {
  constexpr int64_t kOnItsWay = 2 * kNanosPerSecond;
  std::string text;
  for (const Span& life : lives) {
    bool watching = false;
    for (size_t number = 0; number < runs.size(); ++number) {
      const bool within = runs[number].first >= life.first && runs[number].last <= life.last - kOnItsWay;
      if (!within) continue;
      const bool told = stored.starts.contains(static_cast<int>(number));
      if (watching && !told) StrAppend(&text, " ", number);
      watching = watching || told;
    }
  }
  return text;
}

class CrashStorm : public ::testing::Test {
 protected:
  // Half of the lives are short, so that starts are interrupted too.
  milliseconds NextLife() {
    std::uniform_int_distribution<int> brief(20, 1'000);
    std::uniform_int_distribution<int> longer(2'500, 5'000);
    return milliseconds(random_() % 2 == 0 ? brief(random_) : longer(random_));
  }

  void Kill(bool agent, bool controller) {
    if (agent) {
      fleet_.KillAgent();
      lives_.push_back({agent_since_, clock_->WallNanos()});
      agent_since_ = clock_->WallNanos();
    }
    if (controller) fleet_.KillController();
    if (agent) fleet_.LaunchAgent();
    if (controller) fleet_.LaunchController();
  }

  const std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  std::mt19937 random_{20261129};
  Fleet fleet_;
  int64_t agent_since_ = 0;
  std::vector<Span> lives_;
};

TEST_F(CrashStorm, TEL2_WhatIsStoredAndTheGapsAreWhatHappenedWhoeverIsKilled) {
  const int kills = StormCount(16, 1'000);
  fleet_.Enroll();
  fleet_.StartAgent();
  agent_since_ = clock_->WallNanos();
  const std::string host_id(fleet_.CtlJson({"hosts"}).at(0).at("host_id").as_string());
  Load load(*clock_);
  for (int kill = 0; kill < kills; ++kill) {
    std::this_thread::sleep_for(NextLife());
    const auto who = random_() % 10;  // the agent, the controller, or both in one moment
    Kill(who < 5 || who == 9, who >= 5);
    if (kills > 100 && kill % 50 == 49) fmt::print("{} of {} kills\n", kill + 1, kills);
  }
  ASSERT_TRUE(Eventually([&] { return fleet_.AgentConnected(); }, std::chrono::seconds(60)));
  const std::vector<Span> runs = load.Stop();
  lives_.push_back({agent_since_, clock_->WallNanos()});

  Stored stored;
  std::string untold;
  EXPECT_TRUE(Eventually(
      [&] {
        stored = ReadStore(fleet_, host_id);
        untold = Untold(runs, stored);
        return untold.empty() && stored.starts.contains(static_cast<int>(runs.size() - 1));
      },
      std::chrono::seconds(60)))
      << "neither stored nor in a gap:" << untold;
  EXPECT_EQ(stored.chain_fault, "");
  EXPECT_EQ(HolesInLives(runs, stored, lives_), "");
  for (const auto& [number, count] : stored.starts) EXPECT_EQ(count, 1) << "program " << number;
  EXPECT_GT(stored.starts.size(), runs.size() / 4) << "too little is stored to show anything";
  fmt::print("{} kills: {} programs ran, {} are stored, {} are in gaps\n", kills, runs.size(),
             stored.starts.size(), runs.size() - stored.starts.size());
}

}  // namespace
}  // namespace cordon::testing
