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

constexpr platform::ProcessKey kAgent{.pid = 90, .start_boottime_nanos = 900};
constexpr platform::ProcessKey kShell{.pid = 100, .start_boottime_nanos = 1000};
constexpr platform::ProcessKey kChild{.pid = 200, .start_boottime_nanos = 2000};
constexpr platform::ProcessKey kGrandchild{.pid = 300, .start_boottime_nanos = 3000};

class ProcessTrackerTest : public ::testing::Test {
 protected:
  explicit ProcessTrackerTest(ProcessTracker::Settings settings = {.agent_pid = kAgent.pid})
      : tracker_(sink_, clock_, "host", "boot", settings) {}

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
      } else if (event.has_privilege_changed()) {
        const v1::PrivilegeChanged& changed = event.privilege_changed();
        lines.push_back(StrCat(Name(changed.process_guid()), " from ", changed.uid_before(), ":",
                               changed.gid_before(), " to ", changed.uid_after(), ":", changed.gid_after()));
      } else if (event.has_process_traced()) {
        lines.push_back(StrCat(Name(event.process_traced().process_guid()), " traces ",
                               Name(event.process_traced().target_guid())));
      } else if (event.has_module_loaded()) {
        lines.push_back(
            StrCat(Name(event.module_loaded().process_guid()), " loads ", event.module_loaded().name()));
      } else if (event.has_gap()) {
        lines.push_back(StrCat("gap of ", event.gap().count()));
      }
    }
    return lines;
  }

  FakeClock clock_;
  RecordingSink sink_;
  ProcessTracker tracker_;

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
  EXPECT_EQ(tracker_.Settle(), now + kNanosPerSecond);
  EXPECT_THAT(Story(), IsEmpty());
  clock_.Advance(kNanosPerSecond);
  EXPECT_EQ(tracker_.Settle(), std::nullopt);
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

TEST_F(ProcessTrackerTest, SaysThatAProgramCameFromMemory) {
  Say(2100, platform::RawExec{.process = kChild, .executable = "/memfd:x", .from_memory = true});
  EXPECT_TRUE(sink_.Events().back().event.process_started().from_memory());
  Exec(kGrandchild, kShell, 3100);
  EXPECT_FALSE(sink_.Events().back().event.process_started().from_memory());
}

TEST_F(ProcessTrackerTest, SaysForWhomAProgramRunsOnWindows) {
  Say(2100,
      platform::RawExec{
          .process = kChild, .executable = "C:/x.exe", .user_sid = "S-1-5-18", .integrity_level = 0x4000});
  const v1::ProcessStarted started = sink_.Events().back().event.process_started();
  EXPECT_EQ(started.user_sid(), "S-1-5-18");
  EXPECT_EQ(started.integrity_level(), 0x4000U);
}

TEST_F(ProcessTrackerTest, TellsAChangeOfPrivilegesAsTheKernelSaysIt) {
  Fork(kChild, kShell, 2000);
  Say(2100, platform::RawPrivilegeChange{.process = kChild,
                                         .before = {.uid = 1000, .gid = 100, .capabilities = 0},
                                         .after = {.uid = 0, .gid = 100, .capabilities = 0x3f}});
  EXPECT_THAT(Story(), ElementsAre("forked 200 of 100", "200 from 1000:100 to 0:100"));
  EXPECT_EQ(sink_.Events().back().event.privilege_changed().capabilities_after(), 0x3f);
  EXPECT_EQ(tracker_.Find(kChild.pid, 2200)->uid, 0);
}

TEST_F(ProcessTrackerTest, KnowsWhatWasBeforeWhenTheSourceDoesNot) {
  Say(1000, platform::RawExec{.process = kShell, .uid = 1000, .gid = 100});
  Fork(kChild, kShell, 2000);
  Say(2100, platform::RawPrivilegeChange{.process = {.pid = 200}, .before = {}, .after = {.gid = 99}});
  Say(2200, platform::RawPrivilegeChange{.process = {.pid = 200}, .before = {}, .after = {.uid = 7}});
  EXPECT_THAT(Story(), ElementsAre("started 100 of nobody", "forked 200 of 100",
                                   "200 from 1000:100 to 1000:99", "200 from 1000:99 to 7:99"));
}

TEST_F(ProcessTrackerTest, TellsAServersToAndFroOnceAnHour) {
  Exec(kShell, {}, 1000);
  const auto change = [&](int64_t at, uint32_t from, uint32_t to) {
    Say(at, platform::RawPrivilegeChange{.process = kShell,
                                         .before = {.uid = from, .gid = 0, .capabilities = 0},
                                         .after = {.uid = to, .gid = 0, .capabilities = 0}});
  };
  for (int64_t at = 2000; at < 2100; at += 2) {
    change(at, 0, 1000);
    change(at + 1, 1000, 0);
  }
  EXPECT_THAT(Story(),
              ElementsAre("started 100 of nobody", "100 from 0:0 to 1000:0", "100 from 1000:0 to 0:0"));
  change(2000 + ToldMemory::kForNanos, 0, 1000);
  EXPECT_THAT(Story(), ::testing::SizeIs(4));
}

TEST_F(ProcessTrackerTest, TellsNoChangeThatIsNone) {
  Exec(kShell, {}, 1000);
  Say(2000, platform::RawPrivilegeChange{.process = kShell, .before = {}, .after = {.uid = 0}});
  EXPECT_THAT(Story(), ElementsAre("started 100 of nobody"));
}

TEST_F(ProcessTrackerTest, TellsATracerOnceForAllThreadsOfItsTarget) {
  Exec(kShell, {}, 1000);
  Exec(kChild, kShell, 2000);
  for (int thread = 0; thread < 5; ++thread) {
    Say(2100 + thread, platform::RawTrace{.tracer = kShell, .target = kChild});
  }
  EXPECT_THAT(Story(), ElementsAre("started 100 of nobody", "started 200 of 100", "100 traces 200"));
}

TEST_F(ProcessTrackerTest, TellsATracerOfAProcessThatItDoesNotKnow) {
  Exec(kShell, {}, 1000);
  Say(2100, platform::RawTrace{.tracer = {.pid = 100}, .target = {.pid = 4711}});
  const v1::ProcessTraced traced = sink_.Events().back().event.process_traced();
  EXPECT_EQ(traced.process_guid(), Guid(kShell));
  EXPECT_EQ(traced.target_guid(), "");
  EXPECT_EQ(traced.target_pid(), 4711);
}

TEST_F(ProcessTrackerTest, TellsWhoLoadedAModule) {
  Exec(kChild, kShell, 2000, "/sbin/modprobe");
  Say(2100, platform::RawModuleLoad{.process = kChild, .name = "nf_tables"});
  EXPECT_THAT(Story(), ElementsAre("started 200 of 100", "200 loads nf_tables"));
}

TEST_F(ProcessTrackerTest, SeesWhatTheAgentDoesToProveItselfAndDoesNotTellIt) {
  const auto deeds_of_child = [&](int64_t at) {
    Say(at, platform::RawTrace{.tracer = kAgent, .target = kChild});
    Say(at + 1, platform::RawPrivilegeChange{.process = kChild, .before = {}, .after = {.uid = 5}});
  };
  Exec(kAgent, {}, 1000);
  Fork(kChild, kAgent, 2000);
  deeds_of_child(2100);
  EXPECT_THAT(Story(), ElementsAre("started somebody of nobody"));
  EXPECT_EQ(tracker_.SeenOf(kChild.pid, 2000), kSawFork | kSawPrivilegeChange | kSawTrace);
  EXPECT_EQ(tracker_.SeenOf(kChild.pid, 2001), 0) << "born before that moment";
  Exec(kChild, kAgent, 2200);  // from now on it is a program like others
  Say(2300, platform::RawTrace{.tracer = kAgent, .target = kChild});
  Say(2301, platform::RawPrivilegeChange{.process = kChild, .before = {}, .after = {.uid = 6}});
  EXPECT_THAT(Story(), ElementsAre("started somebody of nobody", "started 200 of somebody",
                                   "somebody traces 200", "200 from 5:0 to 6:0"));
}

// A tracker that folds from the eleventh process in a second on.
class ProcessBurstTest : public ProcessTrackerTest {
 protected:
  ProcessBurstTest() : ProcessTrackerTest({.agent_pid = kAgent.pid, .fold_over = 10}) {
    Say(now_, platform::RawExec{.process = kShell, .executable = "/bin/make", .cgroup = "/build"});
  }

  // Forks, executes and ends `count` processes, one every millisecond.
  void Run(uint32_t count, uint32_t exit_code = 0, const std::string& executable = "/bin/cc") {
    for (uint32_t i = 0; i < count; ++i) {
      const platform::ProcessKey process = Begin(executable);
      End(process, exit_code);
    }
  }
  platform::ProcessKey Begin(const std::string& executable = "/bin/cc") {
    now_ += kNanosPerMilli;
    const platform::ProcessKey process{.pid = next_pid_++, .start_boottime_nanos = now_};
    Fork(process, kShell, now_);
    if (!executable.empty()) {
      Say(now_ + 1, platform::RawExec{.process = process,
                                      .parent = kShell,
                                      .executable = executable,
                                      .argv = {"cc", StrCat(process.pid)},
                                      .cgroup = "/build"});
    }
    return process;
  }
  void End(platform::ProcessKey process, uint32_t exit_code = 0) {
    Say(now_ + 2, platform::RawExit{.process = process, .exit_code = exit_code, .cpu_nanos = 7});
  }

  struct Counts {
    int started = 0;
    int forked = 0;
    int ended = 0;
    v1::ProcessBurst folded;  // all of them added up
    int bursts = 0;
  };
  Counts Told() {
    Counts told;
    for (const RecordedEvent& recorded : sink_.Events()) {
      told.started += recorded.event.has_process_started() ? 1 : 0;
      told.forked += recorded.event.has_process_forked() ? 1 : 0;
      told.ended += recorded.event.has_process_ended() ? 1 : 0;
      if (!recorded.event.has_process_burst()) continue;
      ++told.bursts;
      const v1::ProcessBurst& burst = recorded.event.process_burst();
      told.folded.set_started(told.folded.started() + burst.started());
      told.folded.set_forked(told.folded.forked() + burst.forked());
      told.folded.set_ended(told.folded.ended() + burst.ended());
      told.folded.set_failed(told.folded.failed() + burst.failed());
      told.folded.set_cpu_nanos(told.folded.cpu_nanos() + burst.cpu_nanos());
    }
    return told;
  }

  void AdvanceTo(int64_t boottime) { clock_.Advance(boottime - clock_.BootNanos()); }

  int64_t now_ = clock_.BootNanos();
  uint32_t next_pid_ = 1'000;
};

// As many are held as may be, and the one whose end is to be held has waited longest: of every length of
// life.
TEST_F(ProcessBurstTest, TEL1_AFullHoldLosesNobody) {
  constexpr uint32_t kLives = 40;
  uint32_t programs = 0;
  for (uint32_t life = 0; life < kLives; ++life) {
    const platform::ProcessKey fork = Begin("");
    const auto others = static_cast<uint32_t>(ProcessTracker::kMostHeld) - kLives / 2 + life;
    Run(others);
    programs += others;
    End(fork);
  }
  tracker_.Finish();
  const Counts told = Told();
  EXPECT_EQ(told.started - 1 + static_cast<int>(told.folded.started()), static_cast<int>(programs));
  EXPECT_EQ(told.forked + static_cast<int>(told.folded.forked()), static_cast<int>(kLives));
  EXPECT_EQ(told.ended + static_cast<int>(told.folded.ended()), static_cast<int>(programs + kLives));
}

TEST_F(ProcessBurstTest, TEL1_ToldAndFoldedTogetherAreWhatHappened) {
  Run(200);
  Run(50, 3);
  Run(25, 0, "");  // forks alone
  tracker_.Finish();
  const Counts told = Told();
  EXPECT_EQ(told.started - 1 + static_cast<int>(told.folded.started()), 250) << "one is make";
  EXPECT_EQ(told.forked + static_cast<int>(told.folded.forked()), 25);
  EXPECT_EQ(told.ended + static_cast<int>(told.folded.ended()), 275);
  EXPECT_EQ(told.folded.failed(), 50);
  EXPECT_EQ(told.folded.cpu_nanos(), 7 * static_cast<int64_t>(told.folded.ended()));
  EXPECT_EQ(told.bursts, 1);
  EXPECT_GE(told.started, 11) << "the first ones are told";
  EXPECT_GT(told.folded.started(), 200);
}

TEST_F(ProcessBurstTest, NamesCgroupProgramsAndParents) {
  Run(100);
  tracker_.Finish();
  const v1::ProcessBurst burst = sink_.Events().back().event.process_burst();
  EXPECT_EQ(burst.cgroup(), "/build");
  ASSERT_EQ(burst.programs_size(), 1);
  EXPECT_EQ(burst.programs(0).executable(), "/bin/cc");
  EXPECT_EQ(burst.programs(0).started(), burst.started());
  EXPECT_THAT(burst.parent_guids(), ElementsAre(Guid(kShell)));
  EXPECT_LT(burst.first_time_unix_nanos(), burst.last_time_unix_nanos());
}

TEST_F(ProcessBurstTest, NothingIsFoldedBelowTheLimit) {
  for (int second = 0; second < 5; ++second) {
    Run(10);
    now_ += kNanosPerSecond;
  }
  tracker_.Finish();
  EXPECT_EQ(Told().started, 51);
  EXPECT_EQ(Told().bursts, 0);
}

TEST_F(ProcessBurstTest, WhoLivesLongerThanASecondIsTold) {
  Run(20);
  const platform::ProcessKey stays = Begin();
  const int before = Told().started;
  AdvanceTo(now_ + 2 * kNanosPerSecond);
  static_cast<void>(tracker_.Settle());
  EXPECT_EQ(Told().started, before + 1);
  const v1::ProcessStarted started = sink_.Events().back().event.process_started();
  EXPECT_EQ(started.process_guid(), Guid(stays));
  EXPECT_THAT(started.argv(), ElementsAre("cc", StrCat(stays.pid))) << "with its arguments";
}

TEST_F(ProcessBurstTest, WhoIsAskedAboutIsToldWithItsEndAndNotCounted) {
  Run(20);
  const platform::ProcessKey writer = Begin();
  End(writer);
  const Counts before = Told();
  ASSERT_TRUE(tracker_.Find(writer.pid, now_ + 1).has_value());
  EXPECT_EQ(Told().started, before.started + 1);
  EXPECT_EQ(Told().ended, before.ended + 1);
  tracker_.Finish();
  EXPECT_EQ(Told().started - 1 + static_cast<int>(Told().folded.started()), 21);
}

TEST_F(ProcessBurstTest, WhoIsAParentOfOneThatIsToldIsTold) {
  Run(20);
  const platform::ProcessKey parent = Begin();
  const platform::ProcessKey child{.pid = 9'000, .start_boottime_nanos = now_ + 5};
  Fork(child, parent, now_ + 5);
  Exec(child, parent, now_ + 6, "/bin/never-seen");
  EXPECT_EQ(sink_.Events().back().event.process_started().parent_guid(), Guid(parent));
  const auto events = sink_.Events();
  EXPECT_EQ(events[events.size() - 2].event.process_started().process_guid(), Guid(parent));
}

TEST_F(ProcessBurstTest, WhoChangesItsPrivilegesIsTold) {
  Run(20);
  const platform::ProcessKey process = Begin();
  Say(now_ + 2, platform::RawPrivilegeChange{.process = process, .before = {}, .after = {.uid = 77}});
  const auto events = sink_.Events();
  ASSERT_TRUE(events.back().event.has_privilege_changed());
  EXPECT_EQ(events[events.size() - 2].event.process_started().process_guid(), Guid(process));
}

TEST_F(ProcessBurstTest, AProgramOutOfMemoryIsTold) {
  Run(20, 0, "/memfd:x");  // known by its name
  const int before = Told().started;
  const platform::ProcessKey process = Begin("");
  Say(now_ + 1, platform::RawExec{.process = process,
                                  .parent = kShell,
                                  .executable = "/memfd:x",
                                  .cgroup = "/build",
                                  .from_memory = true});
  EXPECT_EQ(Told().started, before + 1);
}

TEST_F(ProcessBurstTest, AChildOfOneThatHasEndedIsTold) {
  Run(20);
  const platform::ProcessKey parent = Begin();
  const platform::ProcessKey child{.pid = 9'000, .start_boottime_nanos = now_ + 1};
  Fork(child, parent, now_ + 1);
  End(parent);
  const int before = Told().started;
  Say(now_ + 3, platform::RawExec{.process = child, .parent = parent, .executable = "/bin/cc"});
  EXPECT_EQ(Told().started, before + 2) << "and its parent before it";
}

TEST_F(ProcessBurstTest, AParentThatWasFoldedItselfIsNamedNowhere) {
  Run(20);
  const platform::ProcessKey told_parent = Begin();
  const platform::ProcessKey parent = Begin();
  const auto begin_child = [&](platform::ProcessKey of, uint32_t pid) {
    const platform::ProcessKey child{.pid = pid, .start_boottime_nanos = now_ + 1};
    Fork(child, of, now_ + 1);
    Say(now_ + 1,
        platform::RawExec{.process = child, .parent = of, .executable = "/bin/cc", .cgroup = "/build"});
    return child;
  };
  for (uint32_t pid = 9'001; pid <= 9'020; ++pid) End(begin_child(told_parent, pid));  // now it is a burst
  const platform::ProcessKey child = begin_child(parent, 9'000);
  End(parent);
  End(child);
  tracker_.Finish();
  const auto events = sink_.Events();
  int bursts = 0;
  for (const RecordedEvent& recorded : events) {
    EXPECT_NE(recorded.event.process_started().process_guid(), Guid(parent)) << "it was folded";
    if (!recorded.event.has_process_burst()) continue;
    ++bursts;
    for (const std::string& guid : recorded.event.process_burst().parent_guids()) {
      EXPECT_NE(guid, Guid(parent)) << "nobody was told of it";
    }
  }
  EXPECT_EQ(bursts, 2) << "one of make's processes, one of the compiler's";
}

TEST_F(ProcessBurstTest, SaysWhenItWantsToBeCalledAgain) {
  EXPECT_EQ(tracker_.Settle(), std::nullopt);
  Run(20);
  AdvanceTo(now_);
  const auto first = tracker_.Settle();
  ASSERT_TRUE(first.has_value());
  EXPECT_LE(*first, now_ + kNanosPerSecond);
  AdvanceTo(now_ + 2 * kNanosPerSecond);
  const auto second = tracker_.Settle();
  ASSERT_TRUE(second.has_value()) << "a summary is due later";
  EXPECT_EQ(Told().bursts, 0);
  AdvanceTo(*second);
  EXPECT_EQ(tracker_.Settle(), std::nullopt);
  EXPECT_EQ(Told().bursts, 1);
}

TEST_F(ProcessBurstTest, TEL1_WhatIsHeldIsBoundedAndStillCounted) {
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    now_ -= kNanosPerMilli - kNanosPerMilli / 50;  // fifty in a millisecond
    Run(1);
  }
  tracker_.Finish();
  EXPECT_EQ(Told().started - 1 + static_cast<int>(Told().folded.started()), kCount);
}

TEST(ToldMemory, ForgetsTheOldestFact) {
  ToldMemory told;
  for (size_t fact = 0; fact <= ToldMemory::kKept; ++fact) EXPECT_TRUE(told.IsNews(StrCat(fact), 1));
  EXPECT_FALSE(told.IsNews("1", 2));
  EXPECT_TRUE(told.IsNews("0", 2));
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
