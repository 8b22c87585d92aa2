#include "agent/process/process_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/event/process_guid.h"
#include "common/base/strings.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_sink.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::FakeClock;
using ::cordon::testing::RecordedEvent;
using ::cordon::testing::RecordingSink;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr platform::ProcessKey kShell{.pid = 100, .start_boottime_nanos = 1000};
constexpr platform::ProcessKey kChild{.pid = 200, .start_boottime_nanos = 2000};
constexpr platform::ProcessKey kGrandchild{.pid = 300, .start_boottime_nanos = 3000};

class ProcessTrackerTest : public ::testing::Test {
 protected:
  void Say(int64_t at, auto fact) {
    std::vector<platform::RawProcessEvent> events;
    events.push_back({at, std::move(fact)});
    tracker_.Handle(events);
  }
  void Fork(platform::ProcessKey child, platform::ProcessKey parent, int64_t at) {
    Say(at, platform::RawFork{.child = child, .parent = parent});
  }
  void Exec(platform::ProcessKey process, platform::ProcessKey parent, int64_t at,
            std::string executable = "/bin/x") {
    Say(at, platform::RawExec{.process = process, .parent = parent, .executable = std::move(executable)});
  }
  void Exit(platform::ProcessKey process, int64_t at) { Say(at, platform::RawExit{.process = process}); }

  std::string Guid(platform::ProcessKey process) { return ProcessGuid("host", "boot", process); }

  // "started 200 of 100", "forked 200 of 100", "ended 200"; the numbers are looked up by guid.
  std::vector<std::string> Story() {
    std::vector<std::string> lines;
    for (const RecordedEvent& recorded : sink_.Events()) {
      const v1::Event& event = recorded.event;
      if (event.has_process_started()) {
        lines.push_back(StrCat("started ", Name(event.process_started().process_guid()), " of ",
                               Name(event.process_started().parent_guid())));
      } else if (event.has_process_forked()) {
        lines.push_back(StrCat("forked ", Name(event.process_forked().process_guid()), " of ",
                               Name(event.process_forked().parent_guid())));
      } else if (event.has_process_ended()) {
        lines.push_back(StrCat("ended ", Name(event.process_ended().process_guid())));
      } else if (event.has_gap()) {
        lines.push_back(StrCat("gap of ", event.gap().count()));
      }
    }
    return lines;
  }

  FakeClock clock_;
  RecordingSink sink_;
  ProcessTracker tracker_{sink_, clock_, "host", "boot"};

 private:
  std::string Name(const std::string& guid) {
    for (const platform::ProcessKey& key : {kShell, kChild, kGrandchild}) {
      if (guid == Guid(key)) return StrCat(key.pid);
    }
    return guid.empty() ? "nobody" : "somebody";
  }
};

TEST_F(ProcessTrackerTest, FoldsAForkThatExecsIntoOneStart) {
  Exec(kShell, {}, 1000);
  Fork(kChild, kShell, 2000);
  Exec(kChild, kShell, 2100);
  Exit(kChild, 2200);
  EXPECT_THAT(Story(), ElementsAre("started 100 of nobody", "started 200 of 100", "ended 200"));
}

TEST_F(ProcessTrackerTest, AnnouncesAForkThatEndsWithoutExec) {
  Fork(kChild, kShell, 2000);
  EXPECT_THAT(Story(), IsEmpty());
  Exit(kChild, 2200);
  EXPECT_THAT(Story(), ElementsAre("forked 200 of 100", "ended 200"));
}

TEST_F(ProcessTrackerTest, AnnouncesAForkThatIsStillThereAfterASecond) {
  const int64_t now = clock_.BootNanos();
  Fork(kChild, kShell, now);
  EXPECT_EQ(tracker_.AnnounceOverdueForks(), now + kNanosPerSecond);
  EXPECT_THAT(Story(), IsEmpty());
  clock_.Advance(kNanosPerSecond);
  EXPECT_EQ(tracker_.AnnounceOverdueForks(), std::nullopt);
  EXPECT_THAT(Story(), ElementsAre("forked 200 of 100"));
}

TEST_F(ProcessTrackerTest, AnnouncesAParentBeforeItsChild) {
  Fork(kChild, kShell, 2000);
  Fork(kGrandchild, kChild, 3000);
  Exec(kGrandchild, kChild, 3100);
  EXPECT_THAT(Story(), ElementsAre("forked 200 of 100", "started 300 of 200"));
}

TEST_F(ProcessTrackerTest, AnnouncesWhoIsAskedAbout) {
  Exec(kShell, {}, 1000, "/bin/sh");
  Fork(kChild, kShell, 2000);
  const auto found = tracker_.Find(200, 2500);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->guid, Guid(kChild));
  EXPECT_EQ(found->executable, "/bin/sh");
  EXPECT_THAT(Story(), ElementsAre("started 100 of nobody", "forked 200 of 100"));
}

TEST_F(ProcessTrackerTest, FindsWhoHadAPidAtATime) {
  const platform::ProcessKey later{.pid = 200, .start_boottime_nanos = 9000};
  Exec(kChild, kShell, 2100, "/bin/first");
  Exit(kChild, 5000);
  Exec(later, kShell, 9100, "/bin/second");
  EXPECT_EQ(tracker_.Find(200, 1999), std::nullopt);
  EXPECT_EQ(tracker_.Find(200, 2500)->executable, "/bin/first");
  EXPECT_EQ(tracker_.Find(200, 6000)->executable, "/bin/first");
  EXPECT_EQ(tracker_.Find(200, 9500)->executable, "/bin/second");
  EXPECT_EQ(tracker_.Find(201, 9500), std::nullopt);
}

TEST_F(ProcessTrackerTest, SaysTheEndOnceWhenTheKernelSaysItTwice) {
  Exec(kChild, kShell, 2100);
  Exit(kChild, 2200);
  Exit(kChild, 2201);
  EXPECT_THAT(Story(), ElementsAre("started 200 of 100", "ended 200"));
}

TEST_F(ProcessTrackerTest, AnnouncesAProcessWhoseBeginningWasLost) {
  Exit(kChild, 2200);
  EXPECT_THAT(Story(), ElementsAre("forked 200 of nobody", "ended 200"));
}

TEST_F(ProcessTrackerTest, KeepsTheParentThatMadeAProcessAfterItWasAdopted) {
  const platform::ProcessKey init{.pid = 1, .start_boottime_nanos = 1};
  Fork(kChild, kShell, 2000);
  Exec(kChild, init, 2100);
  EXPECT_EQ(sink_.Events().back().event.process_started().parent_guid(), Guid(kShell));
}

TEST_F(ProcessTrackerTest, TellsWallTimeOfBootTime) {
  Exec(kChild, kShell, clock_.BootNanos() - 5 * kNanosPerSecond);
  EXPECT_EQ(sink_.Events().back().time_unix_nanos, clock_.WallNanos() - 5 * kNanosPerSecond);
}

TEST_F(ProcessTrackerTest, FillsAStartWithWhatIsKnown) {
  Say(2100, platform::RawExec{.process = kChild,
                              .parent = kShell,
                              .executable = "/usr/bin/caf\xe9",
                              .argv = {"tool", "--password=x"},
                              .argv_total_bytes = 99'999,
                              .argv_complete = false,
                              .cwd = "/tmp",
                              .uid = 1,
                              .gid = 2,
                              .login_uid = 3,
                              .session_id = 4,
                              .cgroup = "/docker/" + std::string(64, 'c')});
  const v1::ProcessStarted started = sink_.Events().back().event.process_started();
  EXPECT_EQ(started.executable(), R"(/usr/bin/caf\xe9)");
  EXPECT_THAT(started.argv(), ElementsAre("tool", "--password=***"));
  EXPECT_EQ(started.argv_total_bytes(), 99'999);
  EXPECT_EQ(started.cwd(), "/tmp");
  EXPECT_EQ(started.uid(), 1);
  EXPECT_EQ(started.gid(), 2);
  EXPECT_EQ(started.login_uid(), 3);
  EXPECT_EQ(started.session_id(), 4);
  EXPECT_EQ(started.container_id(), std::string(64, 'c'));
  EXPECT_EQ(started.parent_pid(), 100);
}

TEST_F(ProcessTrackerTest, ForgetsTheOldestOfTheEndedOverTheBound) {
  for (uint32_t pid = 1; pid <= ProcessTable::kEndedKept + 1; ++pid) {
    Exec({pid, 10}, {}, 20);
    Exit({pid, 10}, 30);
  }
  EXPECT_EQ(tracker_.Find(1, 25), std::nullopt);
  EXPECT_TRUE(tracker_.Find(2, 25).has_value());
}

TEST_F(ProcessTrackerTest, ForgetsTheEndedAfterTenMinutes) {
  Exec(kChild, {}, 20);
  Exit(kChild, 30);
  Exec(kGrandchild, {}, 40);
  Exit(kGrandchild, 31 + ProcessTable::kEndedKeptNanos);
  EXPECT_EQ(tracker_.Find(kChild.pid, 5000), std::nullopt);
  EXPECT_TRUE(tracker_.Find(kGrandchild.pid, 5000).has_value());
}

}  // namespace
}  // namespace cordon::agent
