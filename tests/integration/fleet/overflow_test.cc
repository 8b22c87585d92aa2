// The kernel's own queue of file events overflows while the agent does not run; a real one, on the real
// kernel.

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

int KernelQueue() {
  int events = 0;
  std::ifstream("/proc/sys/fs/fanotify/max_queued_events") >> events;
  return events;
}

bool ToldOf(Fleet& fleet, const std::string& name) {
  return fleet.Ctl({"-o", "json", "events", "--class", "file", "--since", "30m"}).find(name) !=
         std::string::npos;
}

int64_t Number(const boost::json::object& object, const std::string& key) {
  const boost::json::value* const value = object.if_contains(key);
  return value == nullptr ? 0 : value->to_number<int64_t>();
}

// Gaps in file events, as the controller has them.
std::vector<boost::json::object> FileGaps(Fleet& fleet) {
  std::vector<boost::json::object> gaps;
  for (const boost::json::object& event : fleet.CtlJson({"events", "--class", "control", "--since", "30m"})) {
    const boost::json::value* const gap = event.if_contains("gap");
    if (gap == nullptr) continue;
    const boost::json::object& told = gap->as_object();
    if (told.contains("event_class") && told.at("event_class") == "file") gaps.push_back(told);
  }
  return gaps;
}

constexpr int kMore = 4'000;  // than fit into the queue

TEST(FileOverflow, TEL1_AStoppedReadersLossIsAGapWithItsTimesAndTheSensorGoesOn) {
  const int queue = KernelQueue();
  ASSERT_GT(queue, 0);
  const int64_t begun = WallNowNanos();
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  const std::filesystem::path watched = fleet.WatchedFolder();
  const auto appears = [&](const std::string& name) {
    std::filesystem::create_directory(watched / name);
    return Eventually([&] { return ToldOf(fleet, name); });
  };
  ASSERT_TRUE(appears("before-the-overflow"));
  ASSERT_TRUE(FileGaps(fleet).empty());  // the positive control: nothing is claimed while nothing is lost

  fleet.Agent().Signal(SIGSTOP);
  int64_t full = 0;
  for (int i = 0; i < queue + kMore; ++i) {
    if (i == queue) full = WallNowNanos();  // at the latest; others write on the same file system
    std::filesystem::create_directory(watched / StrCat("d", i));
  }
  const int64_t last_lost = WallNowNanos();
  fleet.Agent().Signal(SIGCONT);

  std::vector<boost::json::object> gaps;
  ASSERT_TRUE(Eventually(
      [&] {
        gaps = FileGaps(fleet);
        return !gaps.empty();
      },
      std::chrono::seconds(60)));
  const boost::json::object& gap = gaps.front();
  EXPECT_EQ(gap.at("cause"), "kernel-buffer-full");
  EXPECT_EQ(gap.at("count_unknown"), true);
  EXPECT_EQ(Number(gap, "count"), 0);
  EXPECT_NE(gap.at("detail").as_string().find(watched.string()), boost::json::string::npos);
  // The window holds all that was lost, and nothing of before the test.
  EXPECT_LE(Number(gap, "first_time_unix_nanos"), full);
  EXPECT_GE(Number(gap, "first_time_unix_nanos"), begun);
  EXPECT_GE(Number(gap, "last_time_unix_nanos"), last_lost);

  // What the queue did not hold is found by a walk, each of it.
  std::set<std::string> untold;
  EXPECT_TRUE(Eventually(
      [&] {
        untold.clear();
        for (int i = queue; i < queue + kMore; ++i) untold.insert((watched / StrCat("d", i)).string());
        for (const boost::json::object& event :
             fleet.CtlJson({"events", "--class", "file", "--since", "30m"})) {
          const boost::json::value* const change = event.if_contains("file_changed");
          if (change != nullptr) untold.erase(change->at("path").as_string().c_str());
        }
        return untold.empty();
      },
      std::chrono::seconds(90)))
      << untold.size() << " were lost for good, as " << *untold.begin();

  EXPECT_TRUE(appears("after-the-overflow"));
}

}  // namespace
}  // namespace cordon::testing
