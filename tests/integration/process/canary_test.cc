// Every way in which the process sensor can go blind is noticed by its next proof, and named.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>

#include "agent/process/process_sensor.h"
#include "common/base/strings.h"
#include "platform/api/system.h"
#include "platform/linux/processes/ebpf_source.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/exec_storm.h"

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

// Puts nothing in the place of those of this process's descriptors that `is_it` names. Returns how many.
int Cut(const std::function<bool(int)>& is_it) {
  int cut = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    if (!is_it(fd)) continue;
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup3(nothing, fd, O_CLOEXEC) == fd) ++cut;
    close(nothing);
  }
  return cut;
}

// A BPF program is detached with the last descriptor of its link.
int DetachFrom(const std::string& tracepoint) {
  return Cut([&](int fd) {
    std::ifstream info(StrCat("/proc/self/fdinfo/", fd));
    const std::string text(std::istreambuf_iterator<char>(info), {});
    return text.find("link_id:") != std::string::npos && text.find(tracepoint) != std::string::npos;
  });
}

int CutProcessConnector() {
  return Cut([](int fd) {
    int domain = 0;
    int protocol = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK &&
           getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_CONNECTOR;
  });
}

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
    ASSERT_EQ(DetachFrom(one.tracepoint), 1) << one.tracepoint;
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
  if (CutProcessConnector() == 0) GTEST_SKIP() << "this kernel tells of them by kprobes";
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
