#include "platform/linux/files/fanotify_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/mount_table.h"
#include "platform/api/system.h"
#include "platform/linux/files/event_buffer.h"
#include "platform/linux/files/event_translator.h"
#include "platform/linux/files/fanotify_group.h"
#include "platform/linux/files/watch_map.h"
#include "platform/linux/files/watch_scope.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kLargestRecord = 4096;  // longer than any: two folder handles and two names
constexpr int kReaderNice = -10;         // the kernel's queue is short, and emptying it is little work
constexpr int kGatherMillis = 5;         // before a read: the kernel folds equal events while they wait

// Links in the part that exists are resolved: the kernel tells true paths. Where a server may not answer,
// nothing is asked: it is not watched either.
absl::StatusOr<std::filesystem::path> TruePath(const std::filesystem::path& path, const MountTable& mounts) {
  if (!path.is_absolute())
    return absl::InvalidArgumentError(StrCat(Printable(path.string()), " is no absolute path"));
  if (mounts.MayNotAnswer(path.lexically_normal())) return path.lexically_normal();
  std::error_code error;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error)
    return absl::UnavailableError(StrCat("watched path ", Printable(path.string()), ": ", error.message()));
  return real.has_filename() || real == "/" ? real : real.parent_path();
}

absl::StatusOr<FileWatch> TruePaths(const FileWatch& watch) {
  const MountTable mounts = MountTable::Now();
  FileWatch real;
  for (const auto& root : watch.roots) {
    CORDON_ASSIGN_OR_RETURN(real.roots.emplace_back(), TruePath(root, mounts));
  }
  for (const auto& prefix : watch.excluded) {
    CORDON_ASSIGN_OR_RETURN(real.excluded.emplace_back(), TruePath(prefix, mounts));
  }
  if (!watch.canary.empty()) {
    CORDON_ASSIGN_OR_RETURN(real.canary, TruePath(watch.canary, mounts));
  }
  return real;
}

class FanotifySource final : public FileSource {
 public:
  explicit FanotifySource(const FanotifyOptions& options)
      : options_(options), buffer_(options.buffer_bytes) {}
  ~FanotifySource() override { Stop(); }

  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    if (translator_thread_.joinable()) return absl::FailedPreconditionError("the file source runs already");
    CORDON_ASSIGN_OR_RETURN(const FileWatch real, TruePaths(watch));
    CORDON_ASSIGN_OR_RETURN(FanotifyGroup group, FanotifyGroup::Open(options_.reads));
    group_.emplace(std::move(group));
    scope_.emplace(real);
    map_.emplace(*group_, *scope_, options_.folder_marks_only);
    mounts_ = Fd(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.Valid()) return absl::ErrnoToStatus(errno, "cannot make an eventfd");
    queue_empty_at_ = clock_->BootNanos();
    CORDON_RETURN_IF_ERROR(map_->CoverRoots());
    RefreshInfo();
    deliver_ = std::move(deliver);
    buffer_.Open();
    try {
      translator_thread_ = std::thread([this] { TranslateAll(); });
      reader_thread_ = std::thread([this] { ReadAll(); });
    } catch (const std::system_error& error) {
      Stop();
      return absl::UnavailableError(StrCat("cannot start a thread for the file source: ", error.what()));
    }
    return absl::OkStatus();
  }

  void Stop() override {
    if (!translator_thread_.joinable()) return;
    eventfd_write(wake_.Get(), 1);
    if (reader_thread_.joinable()) reader_thread_.join();
    buffer_.Close();
    translator_thread_.join();
  }

  FileSourceInfo Info() const override {
    const std::lock_guard lock(info_mutex_);
    return info_;
  }

 private:
  void ReadAll() {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kReaderNice);  // better, not needed
    // Not filled: what no read has reached takes no memory.
    const auto bytes = std::make_unique_for_overwrite<char[]>(kReadBytes);
    std::array<pollfd, 3> waits = {
        {{wake_.Get(), POLLIN, 0}, {group_->Get(), POLLIN, 0}, {mounts_.Get(), POLLPRI, 0}}};
    bool stopping = false;
    bool full = false;
    while (!stopping) {
      if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
      const bool mounts_changed = (waits[2].revents & (POLLPRI | POLLERR)) != 0;
      stopping = waits[0].revents != 0;
      // After the first event and not after its read: what a program does in one go, as a database's commit
      // is, wakes this thread and the translator once.
      if (!full && !stopping) poll(waits.data(), 1, kGatherMillis);
      full = ReadOnce(bytes.get(), mounts_changed);
    }
    while (ReadOnce(bytes.get(), false)) {  // what stood in the queue when Stop was called
    }
  }

  // Into kReadBytes at `bytes`. True when they were filled, so that more may wait.
  bool ReadOnce(char* bytes, bool mounts_changed) {
    const int64_t begin = clock_->BootNanos();
    const ssize_t got = read(group_->Get(), bytes, kReadBytes);
    const size_t length = got > 0 ? static_cast<size_t>(got) : 0;
    if (length > 0 || mounts_changed) {
      buffer_.Push({.bytes = std::string(bytes, length),
                    .boottime_nanos = clock_->BootNanos(),
                    .queue_empty_nanos = queue_empty_at_,
                    .lost_before = 0,
                    .mounts_changed = mounts_changed});
    }
    if (length + kLargestRecord < kReadBytes) queue_empty_at_ = begin;  // the read ended for want of more
    return length > kReadBytes / 2;
  }

  void TranslateAll() {
    EventTranslator translator(*map_, *scope_, buffer_, static_cast<uint32_t>(getpid()));
    EventBuffer::Chunk chunk;
    while (buffer_.Pop(&chunk)) {
      std::vector<RawFileEvent> events = translator.Translate(std::move(chunk));
      if (map_->TakeNews()) RefreshInfo();
      if (options_.reads) KeepReads(events);
      if (!events.empty()) deliver_(events);
    }
  }

  // The rest is there to follow folders.
  static void KeepReads(std::vector<RawFileEvent>& events) {
    std::erase_if(events, [](const RawFileEvent& event) {
      return event.kind != RawFileEvent::kRead && event.kind != RawFileEvent::kOverflow;
    });
    for (RawFileEvent& event : events) event.lost_reads = event.kind == RawFileEvent::kOverflow;
  }

  void RefreshInfo() {
    const std::lock_guard lock(info_mutex_);
    info_.name = map_->UsesFolderMarks()
                     ? (map_->UsesFilesystemMarks() ? "fanotify-mixed" : "fanotify-directory")
                     : "fanotify-filesystem";
    info_.limitations = map_->Limitations();
    if (!group_->TellsRenames()) {
      info_.limitations.emplace_back(
          "before Linux 5.17 a rename is told in two halves: old name and new name");
    }
  }

  const FanotifyOptions options_;
  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::optional<FanotifyGroup> group_;
  std::optional<WatchScope> scope_;
  std::optional<WatchMap> map_;  // after Start, the translator's alone
  Fd mounts_;
  Fd wake_;
  EventBuffer buffer_;
  int64_t queue_empty_at_ = 0;  // the reader's alone once it runs
  std::function<void(std::span<RawFileEvent>)> deliver_;
  std::thread reader_thread_;
  std::thread translator_thread_;
  mutable std::mutex info_mutex_;
  FileSourceInfo info_;
};

// Changes everywhere, and reads where they are sensitive, each with a queue of its own: a program that reads
// much must not cost the changes their place.
class ChangesAndReads final : public FileSource {
 public:
  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    if (!watch.sensitive.empty()) {
      reads_ = MakeFanotifySource({.reads = true, .folder_marks_only = true});
      const FileWatch reads = {
          .roots = watch.sensitive, .excluded = watch.excluded, .sensitive = {}, .canary = {}};
      CORDON_RETURN_IF_ERROR(Annotate(reads_->Start(reads, deliver), "reads of sensitive paths"));
    }
    absl::Status started = changes_->Start(watch, std::move(deliver));
    if (!started.ok() && reads_ != nullptr) reads_->Stop();
    return started;
  }

  void Stop() override {
    changes_->Stop();
    if (reads_ != nullptr) reads_->Stop();
  }

  FileSourceInfo Info() const override {
    FileSourceInfo info = changes_->Info();
    if (reads_ == nullptr) return info;
    for (std::string& limitation : reads_->Info().limitations)
      info.limitations.push_back(std::move(limitation));
    return info;
  }

 private:
  const std::unique_ptr<FileSource> changes_ = MakeFanotifySource({});
  std::unique_ptr<FileSource> reads_;  // none: nothing is sensitive
};

}  // namespace

std::unique_ptr<FileSource> MakeFanotifySource(const FanotifyOptions& options) {
  return std::make_unique<FanotifySource>(options);
}

std::unique_ptr<FileSource> MakeFileSource() {
  return std::make_unique<ChangesAndReads>();
}

}  // namespace cordon::platform
