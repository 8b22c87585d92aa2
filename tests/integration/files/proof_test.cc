// The file sensor proves itself through the real pipeline: whatever breaks it on the way is noticed by the
// next proof and named.

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/integration/files/watched_folder.h"

namespace cordon::agent {
namespace {

// The group of this process's own sensor, by what the kernel calls it.
std::optional<int> FanotifyDescriptor() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone && target.string().find("fanotify") != std::string::npos)
      return std::stoi(entry.path().filename());
  }
  return std::nullopt;
}

class FileProof : public WatchedFolder {
 protected:
  void SetUp() override {
    WatchedFolder::SetUp();
    if (IsSkipped()) return;
    Start();
    sensor_.Prove();
    ASSERT_TRUE(sensor_.State().serving) << sensor_.State().detail;
  }

  void ExpectNoticed() {
    sensor_.Prove();
    EXPECT_FALSE(sensor_.State().serving);
    EXPECT_NE(sensor_.State().detail.find("was not seen within"), std::string::npos)
        << sensor_.State().detail;
  }
};

TEST_F(FileProof, RemovedMarksAreNoticed) {
  const std::optional<int> group = FanotifyDescriptor();
  ASSERT_TRUE(group.has_value());
  for (const unsigned kind : {unsigned{FAN_MARK_FILESYSTEM}, 0U, unsigned{FAN_MARK_MOUNT}}) {
    ASSERT_EQ(fanotify_mark(*group, FAN_MARK_FLUSH | kind, 0, AT_FDCWD, nullptr), 0);
  }
  ExpectNoticed();
}

TEST_F(FileProof, AReaderWhoseGroupWasTakenAwayIsNoticed) {
  const std::optional<int> group = FanotifyDescriptor();
  ASSERT_TRUE(group.has_value());
  const int nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ASSERT_EQ(dup3(nothing, *group, O_CLOEXEC), *group);
  close(nothing);
  ExpectNoticed();
}

// Takes events only while it is open, as a spool does whose disk hangs.
class HangingSink final : public EventSink {
 public:
  void Emit(v1::EventClass /*event_class*/, int64_t /*time*/, v1::Event /*event*/) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST_F(WatchedFolder, AFullQueueIsNoticedAndItsEndAsWell) {
  HangingSink sink;
  FileSensor sensor({.state_folder = state_.Path(),
                     .settle = {.quiet_nanos = 20 * kNanosPerMilli},
                     .process_wait = std::chrono::milliseconds(0),
                     .proof_wait = std::chrono::milliseconds(3'000)},
                    platform::MakeFileSource, *clock_, processes_, sink);
  ASSERT_TRUE(sensor.Start(policy_).ok());
  sensor.Prove();
  ASSERT_TRUE(sensor.State().serving) << sensor.State().detail;
  Shell("echo 1 > a");  // its event is what hangs
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  sensor.Prove();
  EXPECT_FALSE(sensor.State().serving) << sensor.State().detail;
  sink.Open();
  sensor.Prove();
  EXPECT_TRUE(sensor.State().serving) << sensor.State().detail;
  sensor.Stop();
}

}  // namespace
}  // namespace cordon::agent
