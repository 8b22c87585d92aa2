#include "platform/api/ruleset_watcher.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <utility>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "platform/linux/packet_filter/notification.h"
#include "platform/linux/system/netlink_news.h"

namespace cordon::platform {
namespace {

// A transaction of ten thousand rules is some megabytes of messages; memory is taken when they come only.
constexpr int kBufferBytes = 8 * 1024 * 1024;
constexpr ino_t kFirstPidNamespace = 0xeffffffc;  // the kernel's PROC_PID_INIT_INO
constexpr size_t kMaxPath = 4096;

int64_t BootNanos() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

// The kernel numbers processes as the first pid namespace does. In another one its numbers mean nothing here:
// nobody is named then, and nothing is taken for this process's own.
bool PidsAreOurs() {
  struct stat info{};
  return stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == kFirstPidNamespace;
}

bool IsOwnThread(uint32_t tid) {
  return access(StrCat("/proc/self/task/", tid).c_str(), F_OK) == 0;
}

// The process to which a thread belongs; the number itself when it is gone.
uint32_t ProcessOfThread(uint32_t tid) {
  std::ifstream status(StrCat("/proc/", tid, "/status"));
  constexpr std::string_view kKey = "Tgid:\t";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kKey)) continue;
    uint32_t pid = 0;
    const auto [end, error] = std::from_chars(line.data() + kKey.size(), line.data() + line.size(), pid);
    return error == std::errc{} ? pid : tid;
  }
  return tid;
}

std::string ExecutableOf(uint32_t pid) {
  std::array<char, kMaxPath> path;
  const ssize_t size = readlink(StrCat("/proc/", pid, "/exe").c_str(), path.data(), path.size());
  return size <= 0 ? std::string() : std::string(path.data(), static_cast<size_t>(size));
}

class NftablesWatcher final : public RulesetWatcher {
 public:
  ~NftablesWatcher() override { NftablesWatcher::Stop(); }

  absl::Status Start(std::function<void(std::vector<RulesetChange>)> changed) override {
    pids_are_ours_ = PidsAreOurs();
    return news_.Start({.bus = NETLINK_NETFILTER,
                        .number = NFNLGRP_NFTABLES,
                        .buffer_bytes = kBufferBytes,
                        .what = "watch changes of the packet filter"},
                       [this, changed = std::move(changed)] {
                         if (std::vector<RulesetChange> changes = Drain(); !changes.empty())
                           changed(std::move(changes));
                       });
  }

  void Stop() override { news_.Stop(); }

 private:
  // All that is there now: a burst becomes one call.
  std::vector<RulesetChange> Drain() {
    std::vector<RulesetChange> changes;
    while (true) {
      const ssize_t size = recv(news_.Socket().Get(), buffer_.data(), buffer_.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == ENOBUFS) {
        Add({.boot_nanos = BootNanos(), .missed = true}, &changes);
        continue;
      }
      if (size < 0) return changes;
      reader_.Read(buffer_.data(), static_cast<size_t>(size), [&](const GenerationNotice& notice) {
        if (std::optional<RulesetChange> change = ChangeOf(notice)) Add(*std::move(change), &changes);
      });
    }
  }

  static void Add(RulesetChange change, std::vector<RulesetChange>* changes) {
    if (changes->size() == kMostTold) change = {.boot_nanos = change.boot_nanos, .missed = true};
    if (changes->size() <= kMostTold) changes->push_back(std::move(change));
  }

  // Nothing for what this process did itself. The process is looked up now: a moment later it may be gone.
  std::optional<RulesetChange> ChangeOf(const GenerationNotice& notice) const {
    RulesetChange change{
        .process_name = notice.process_name, .boot_nanos = BootNanos(), .of_cordon = notice.of_cordon};
    if (!pids_are_ours_ || notice.pid == 0) return change;
    if (IsOwnThread(notice.pid)) return std::nullopt;
    change.pid = ProcessOfThread(notice.pid);
    change.executable = ExecutableOf(change.pid);
    return change;
  }

  bool pids_are_ours_ = false;
  NotificationReader reader_;                      // of the thread
  alignas(8) std::array<char, 64 * 1024> buffer_;  // of the thread
  NetlinkNews news_;                               // last: its thread uses all of the above
};

}  // namespace

std::unique_ptr<RulesetWatcher> MakeRulesetWatcher() {
  return std::make_unique<NftablesWatcher>();
}

}  // namespace cordon::platform
