// Every way in which the process sensor can go blind is noticed by its next proof, and named.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "agent/process/process_sensor.h"
#include "platform/api/system.h"
#include "platform/linux/processes/ebpf_source.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/exec_storm.h"
#include "tests/support/kernel_hooks.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::RecordedEvent;
using ::cordon::testing::RecordingSink;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A place for events that can be shut, as by a disk that does not answer.
class GatedSink final : public EventSink {
 public:
  ~GatedSink() override { Open(); }
  void Emit(v1::EventClass event_class, int64_t time, v1::Event event) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
    recorded_.Emit(event_class, time, std::move(event));
  }
  void Shut() { Set(false); }
  void Open() { Set(true); }
  const RecordingSink& Recorded() const { return recorded_; }

 private:
  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  RecordingSink recorded_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

class ProcessCanary : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for eBPF";
    ASSERT_TRUE(sensor_.Start().ok());
    sensor_.Prove();
    ASSERT_TRUE(sensor_.State().serving) << sensor_.State().detail;  // the positive control
  }
  void TearDown() override { sink_.Open(); }

  GatedSink sink_;
  const std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  platform::EbpfProcessSource source_{{.ring_bytes = 64 << 10}};
  ProcessSensor sensor_{source_, sink_, *clock_, "host", "boot"};
};

TEST_F(ProcessCanary, NamesTheProgramThatWasDetached) {
  struct Case {
    const char* tracepoint;
    const char* named;
  };
  constexpr Case kCases[] = {{"sched_process_exec", "its start"},
                             {"sched_process_exit", "its end"},
                             {"sched_process_fork", "its fork"}};
  std::string named;
  for (const Case& one : kCases) {
    ASSERT_EQ(testing::DetachFrom(one.tracepoint), 1) << one.tracepoint;
    sensor_.Prove();
    EXPECT_FALSE(sensor_.State().serving);
    EXPECT_THAT(sensor_.State().detail, AllOf(HasSubstr("canary"), HasSubstr(one.named)));
    named += one.named;
    for (const Case& other : kCases) {
      if (named.find(other.named) == std::string::npos) {
        EXPECT_THAT(sensor_.State().detail, Not(HasSubstr(other.named)));
      }
    }
  }
}

TEST_F(ProcessCanary, NamesTheChannelOfPrivilegesAndTracersWhenItIsCut) {
  ASSERT_TRUE(source_.Info().tells_privilege_changes && source_.Info().tells_traces);
  if (testing::CutProcessConnector() == 0) GTEST_SKIP() << "this kernel tells of them by kprobes";
  sensor_.Prove();
  EXPECT_FALSE(sensor_.State().serving);
  EXPECT_THAT(sensor_.State().detail, AllOf(HasSubstr("its change of privileges"),
                                            HasSubstr("that it was traced"), Not(HasSubstr("its start"))));
}

TEST_F(ProcessCanary, NoticesAReaderThatIsHeldUp) {
  sink_.Shut();
  sensor_.Prove();
  EXPECT_FALSE(sensor_.State().serving);
  EXPECT_THAT(sensor_.State().detail, AllOf(HasSubstr("its start"), HasSubstr("held up")));
  sink_.Open();
  sensor_.Prove();
  EXPECT_TRUE(sensor_.State().serving) << "it comes back by itself: " << sensor_.State().detail;
}

TEST_F(ProcessCanary, TEL1_AFullRingIsNamedAndTheNextProofSaysWhatItCost) {
  sink_.Shut();
  testing::RunExecStorm(1000, "full-ring");
  sensor_.Prove();
  EXPECT_FALSE(sensor_.State().serving);
  sink_.Open();
  source_.Flush();
  sensor_.Prove();
  EXPECT_TRUE(sensor_.State().serving);
  EXPECT_THAT(sensor_.State().detail, HasSubstr("records did not fit into the kernel's buffer"));
  std::string lost_kinds;
  for (const RecordedEvent& recorded : sink_.Recorded().Events()) {
    if (recorded.event.has_gap()) lost_kinds += recorded.event.gap().detail();
  }
  EXPECT_THAT(lost_kinds, AllOf(HasSubstr("forks"), HasSubstr("starts"), HasSubstr("ends")));
}

TEST_F(ProcessCanary, TellsNothingOfTheDeedsOfItsCanary) {
  for (const RecordedEvent& recorded : sink_.Recorded().Events()) {
    if (recorded.event.has_privilege_changed()) {
      EXPECT_NE(recorded.event.privilege_changed().gid_after(), 65'534) << "by the canary";
    }
    EXPECT_NE(recorded.event.process_traced().pid(), static_cast<uint32_t>(getpid()));
  }
}

}  // namespace
}  // namespace cordon::agent
