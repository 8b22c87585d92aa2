// The Windows agent and its controller die at random moments, over and over, while files are made: what is
// stored and what the gaps say is what happened (TEL-1), nothing is stored twice (TEL-2), and the chain is
// whole (TEL-3).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "tests/support/soak.h"
#include "tests/support/stored_chains.h"
#include "tests/wine/fleet/windows_fleet.h"

namespace cordon::testing {
namespace {

using std::chrono::milliseconds;

// Makes one file after the other and writes down when; a file's number is its place in the list.
class Load {
 public:
  explicit Load(std::filesystem::path folder) : folder_(std::move(folder)), thread_([this] { Run(); }) {}
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  std::vector<int64_t> Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return made_;
  }

 private:
  void Run() {
    while (!stop_) {
      std::ofstream(folder_ / StrCat("load-", made_.size(), ".txt")) << "text";
      made_.push_back(WallNowNanos());
      std::this_thread::sleep_for(milliseconds(100));
    }
  }

  const std::filesystem::path folder_;
  std::atomic<bool> stop_ = false;
  std::vector<int64_t> made_;
  std::thread thread_;
};

struct Stored {
  std::map<int, int> created;  // by the file's number: how often its making is stored
  std::vector<v1::Gap> gaps;
  std::string chain_fault = "nothing is stored";
};

// -1 for another file.
int NumberOf(const std::string& path) {
  const size_t at = path.rfind("load-");
  return at == std::string::npos ? -1 : std::stoi(path.substr(at + 5));
}

Stored ReadStore(const WindowsFleet& fleet, const std::string& host_id) {
  const std::vector<StoredRow> rows = StoredRows(fleet.Store(), host_id);
  Stored stored{.gaps = TruthOf(rows).gaps};
  if (!rows.empty()) stored.chain_fault = StoredChainFault(rows, host_id, rows.back().batch.chain_id());
  for (const StoredRow& row : rows) {
    if (row.repeats || row.batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) continue;
    const v1::EventList list = Must(DecodeEvents(row.batch.payload(), row.batch.event_count()));
    for (const v1::Event& event : list.events()) {
      const int number = NumberOf(event.file_changed().path());
      if (number >= 0 && event.file_changed().change() == v1::FileChanged::CHANGE_CREATED)
        ++stored.created[number];
    }
  }
  return stored;
}

bool Covers(const v1::Gap& gap, int64_t made) {
  constexpr int64_t kSlack = kNanosPerSecond / 5;  // it is written down a moment after it was made
  const bool of_class =
      gap.event_class() == v1::EVENT_CLASS_UNSPECIFIED || gap.event_class() == v1::EVENT_CLASS_FILE;
  return of_class && gap.first_time_unix_nanos() <= made + kSlack &&
         made - kSlack <= gap.last_time_unix_nanos();
}

// What is neither stored nor covered by a gap, as text; empty when there is nothing.
std::string Untold(const std::vector<int64_t>& made, const Stored& stored) {
  std::string text;
  for (size_t number = 0; number < made.size(); ++number) {
    if (stored.created.contains(static_cast<int>(number))) continue;
    if (std::ranges::any_of(stored.gaps, [&](const v1::Gap& gap) { return Covers(gap, made[number]); }))
      continue;
    StrAppend(&text, " ", number);
  }
  return text;
}

class WindowsDelivery : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = WinePrefix::Missing(); !missing.empty()) GTEST_SKIP() << missing;
    fleet_ = std::make_unique<WindowsFleet>();
    fleet_->Enroll();
    fleet_->StartAgent();
  }

  // A third of the lives are short, so that starts are interrupted too.
  milliseconds NextLife() {
    std::uniform_int_distribution<int> brief(20, 1'500);
    std::uniform_int_distribution<int> longer(4'000, 8'000);
    return milliseconds(random_() % 3 == 0 ? brief(random_) : longer(random_));
  }

  std::mt19937 random_{20261129};
  std::unique_ptr<WindowsFleet> fleet_;
};

TEST_F(WindowsDelivery, TEL2_WhatIsStoredAndTheGapsAreWhatHappenedWhoeverIsKilled) {
  const int kills = StormCount(8, 200);
  const std::string host_id(fleet_->Host().at("host_id").as_string());
  Load load(fleet_->WatchedFolder());
  for (int kill = 0; kill < kills; ++kill) {
    std::this_thread::sleep_for(NextLife());
    const auto who = random_() % 10;  // the agent, the controller, or both in one moment
    if (who < 6 || who == 9) fleet_->KillAgent();
    if (who >= 6) fleet_->KillController();
    if (who < 6 || who == 9) fleet_->LaunchAgent();
    if (who >= 6) fleet_->LaunchController();
  }
  ASSERT_TRUE(fleet_->WaitForAgent());
  std::this_thread::sleep_for(std::chrono::seconds(8));  // a last stretch that nothing disturbs
  const std::vector<int64_t> made = load.Stop();

  Stored stored;
  std::string untold;
  EXPECT_TRUE(Eventually(
      [&] {
        stored = ReadStore(*fleet_, host_id);
        untold = Untold(made, stored);
        return untold.empty() && stored.created.contains(static_cast<int>(made.size() - 1));
      },
      std::chrono::seconds(60)))
      << "neither stored nor in a gap:" << untold;
  EXPECT_EQ(stored.chain_fault, "");
  for (const auto& [number, count] : stored.created) EXPECT_EQ(count, 1) << "file " << number;
  EXPECT_GT(stored.created.size(), made.size() / 4) << "too little is stored to show anything";
  fmt::print("{} kills: {} files were made, {} are stored, {} are in gaps\n", kills, made.size(),
             stored.created.size(), made.size() - stored.created.size());
}

}  // namespace
}  // namespace cordon::testing
