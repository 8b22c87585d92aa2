// File changes by ReadDirectoryChangesW: one watch over each root with all that is below it.

#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/file_source.h"
#include "platform/api/file_tree.h"
#include "platform/api/system.h"
#include "platform/windows/files/notify_decode.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// The kernel's own buffer has the size of the first read; larger ones come out of non-paged memory.
constexpr DWORD kBufferBytes = 64 * 1024;
constexpr DWORD kFilter = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME |
                          FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_SIZE |
                          FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_SECURITY;
constexpr DWORD kRetryMillis = 2'000;  // for roots that do not exist yet
constexpr int kLastRounds = 64;        // of reads once a stop was asked for
constexpr size_t kMostRoots = MAXIMUM_WAIT_OBJECTS - 1;

bool IsBelowOrAt(const std::filesystem::path& path, const std::filesystem::path& prefix) {
  // Names do not differ by capitals here.
  const std::wstring& text = path.native();
  const std::wstring& start = prefix.native();
  if (start.empty() || text.size() < start.size()) return false;
  const bool same = CompareStringOrdinal(text.data(), static_cast<int>(start.size()), start.data(),
                                         static_cast<int>(start.size()), TRUE) == CSTR_EQUAL;
  return same && (text.size() == start.size() || text[start.size()] == L'\\' || text[start.size()] == L'/');
}

// What comes into an empty folder from now on is told by itself.
bool MayHaveContent(const std::filesystem::path& folder) {
  bool found = false;
  const absl::Status read = ReadFolder(folder, [&found](const FolderEntry&) {
    found = true;
    return false;
  });
  return found || (!read.ok() && !absl::IsNotFound(read));
}

// One root. The reading thread's own.
class Root {
 public:
  explicit Root(std::filesystem::path path)
      : path_(std::move(path)),
        event_(CreateEventW(nullptr, TRUE, FALSE, nullptr)),
        buffer_(kBufferBytes / 4) {}
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() { Close(); }

  const std::filesystem::path& Path() const { return path_; }
  HANDLE Event() const { return event_.Get(); }
  bool Watched() const { return folder_.Valid(); }

  absl::Status Open() {
    const std::string what = StrCat("cannot watch ", Shown(path_));
    folder_ = Handle(CreateFileW(LongPath(path_).c_str(), FILE_LIST_DIRECTORY,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                 OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, nullptr));
    if (!folder_.Valid()) {
      const absl::Status failed = LastError(what);
      folder_ = Handle();
      return failed;
    }
    return Ask();
  }

  absl::Status Ask() {
    const std::string what = StrCat("cannot watch ", Shown(path_));
    ResetEvent(event_.Get());
    wanted_ = {};
    wanted_.hEvent = event_.Get();
    pending_ = ReadDirectoryChangesW(folder_.Get(), buffer_.data(), kBufferBytes, TRUE, kFilter, nullptr,
                                     &wanted_, nullptr) != 0;
    if (pending_) return absl::OkStatus();
    const absl::Status failed = LastError(what);
    Close();
    return failed;
  }

  // What has come; `lost` when the kernel's buffer ran over, or the folder is gone.
  std::vector<NotifyRecord> Take(bool* lost) {
    DWORD got = 0;
    pending_ = false;
    if (GetOverlappedResult(folder_.Get(), &wanted_, &got, FALSE) == 0 || got == 0) {
      *lost = true;
      return {};
    }
    bool whole = false;
    std::vector<NotifyRecord> records =
        DecodeNotifications({reinterpret_cast<const uint8_t*>(buffer_.data()), got}, &whole);
    *lost = !whole;
    return records;
  }

  void Close() {
    if (pending_) {
      CancelIoEx(folder_.Get(), &wanted_);
      DWORD got = 0;
      GetOverlappedResult(folder_.Get(), &wanted_, &got,
                          TRUE);  // the kernel writes into the buffer until then
      pending_ = false;
    }
    folder_ = Handle();
  }

 private:
  const std::filesystem::path path_;
  Handle folder_;
  Handle event_;
  OVERLAPPED wanted_{};
  std::vector<uint32_t> buffer_;  // aligned as the records need it
  bool pending_ = false;
};

class DirectorySource final : public FileSource {
 public:
  ~DirectorySource() override { Stop(); }

  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    watch_ = watch;
    deliver_ = std::move(deliver);
    roots_.clear();
    std::vector<std::filesystem::path> paths = watch.roots;
    if (!watch.canary.empty()) paths.push_back(watch.canary);
    if (paths.size() > kMostRoots)
      return absl::InvalidArgumentError(StrCat("at most ", kMostRoots - 1, " folders can be watched"));
    for (std::filesystem::path& path : paths) {
      if (!path.is_absolute())
        return absl::InvalidArgumentError(StrCat("a folder to watch must be absolute: ", Shown(path)));
      auto root = std::make_unique<Root>(path.make_preferred());
      const absl::Status opened = root->Open();
      if (!opened.ok() && !absl::IsNotFound(opened)) return opened;
      roots_.push_back(std::move(root));
    }
    last_read_ = clock_->BootNanos();
    stop_ = Handle(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    thread_ = std::thread([this] { Read(); });
    return absl::OkStatus();
  }

  void Stop() override {
    if (!thread_.joinable()) return;
    SetEvent(stop_.Get());
    thread_.join();
    roots_.clear();
  }

  FileSourceInfo Info() const override {
    return {.name = "directory-changes",
            .limitations = {
                "Who changed a file is not known.",
                "Changes while the agent does not run are found by a scan alone.",
                "When more happens at once than the kernel keeps, the folder is looked through anew."}};
  }

 private:
  void Read() {
    while (true) {
      std::vector<HANDLE> events = {stop_.Get()};
      std::vector<Root*> watched;
      for (const auto& root : roots_) {
        if (!root->Watched() && Reopen(*root)) Overflow(*root);  // what was in it when it came was not seen
        if (!root->Watched()) continue;
        events.push_back(root->Event());
        watched.push_back(root.get());
      }
      const DWORD timeout = !batch_.empty() ? 0 : watched.size() == roots_.size() ? INFINITE : kRetryMillis;
      const DWORD woken =
          WaitForMultipleObjects(static_cast<DWORD>(events.size()), events.data(), FALSE, timeout);
      if (woken == WAIT_OBJECT_0) return Finish(watched);
      if (woken == WAIT_FAILED) return GiveUp();
      // More may be ready than the one that woke us.
      for (Root* const root : watched)
        if (WaitForSingleObject(root->Event(), 0) == WAIT_OBJECT_0) Serve(*root);
      if (!batch_.empty()) deliver_(batch_);
      batch_.clear();
    }
  }

  // TEL-1: what happened before the stop is told still, and when somebody never ceases, that there was more.
  void Finish(const std::vector<Root*>& watched) {
    for (Root* const root : watched) {
      int rounds = 0;
      while (root->Watched() && WaitForSingleObject(root->Event(), 0) == WAIT_OBJECT_0) {
        if (++rounds > kLastRounds) {
          Overflow(*root);
          break;
        }
        Serve(*root);
      }
    }
    if (!batch_.empty()) deliver_(batch_);
    batch_.clear();
  }

  // Nothing more will be seen, and whoever listens is told.
  void GiveUp() {
    for (const auto& root : roots_) Overflow(*root);
    deliver_(batch_);
    batch_.clear();
  }

  static bool Reopen(Root& root) { return root.Open().ok(); }

  void Serve(Root& root) {
    bool lost = false;
    const std::vector<NotifyRecord> records = root.Take(&lost);
    const bool watched = root.Ask().ok();  // at once: the kernel keeps what comes meanwhile
    for (size_t at = 0; at < records.size(); ++at) {
      const bool pair = records[at].action == NotifyRecord::kRenamedFrom && at + 1 < records.size() &&
                        records[at + 1].action == NotifyRecord::kRenamedTo;
      Translate(root, records[at], pair ? &records[at + 1] : nullptr);
      if (pair) ++at;
    }
    if (lost || !watched) Overflow(root);
    last_read_ = clock_->BootNanos();
  }

  std::filesystem::path Full(const Root& root, const NotifyRecord& record) const {
    return root.Path() / std::wstring(record.name.begin(), record.name.end());
  }

  void Translate(const Root& root, const NotifyRecord& record, const NotifyRecord* renamed_to) {
    RawFileEvent event{.path = Full(root, record), .boottime_nanos = clock_->BootNanos()};
    switch (record.action) {
      case NotifyRecord::kAdded:
        event.kind = RawFileEvent::kCreated;
        break;
      case NotifyRecord::kRemoved:
        event.kind = RawFileEvent::kDeleted;
        break;
      case NotifyRecord::kModified:
        event.kind = RawFileEvent::kModified;
        break;
      case NotifyRecord::kRenamedFrom:
        event.kind = RawFileEvent::kRenamed;
        event.old_path = event.path;
        event.path = renamed_to == nullptr ? std::filesystem::path() : Full(root, *renamed_to);
        break;
      case NotifyRecord::kRenamedTo:
        event.kind = RawFileEvent::kRenamed;
        break;
      default:
        return;
    }
    if (!Counts(root, event.path) && !Counts(root, event.old_path)) return;
    const DWORD attributes = GetFileAttributesW(LongPath(event.path).c_str());
    event.is_directory =
        attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    // TEL-1: a move to another folder is told as removed here and added there, without what is in it.
    event.may_have_content =
        event.kind == RawFileEvent::kCreated && event.is_directory && MayHaveContent(event.path);
    // A folder is "modified" by what happens in it, which is told by itself.
    if (event.kind == RawFileEvent::kModified && event.is_directory) return;
    batch_.push_back(std::move(event));
  }

  bool Counts(const Root& root, const std::filesystem::path& path) const {
    if (path.empty()) return false;
    if (!watch_.canary.empty() && IsBelowOrAt(path, watch_.canary))
      return IsBelowOrAt(root.Path(), watch_.canary);
    return std::ranges::none_of(watch_.excluded,
                                [&](const auto& prefix) { return IsBelowOrAt(path, prefix); });
  }

  // TEL-1
  void Overflow(const Root& root) {
    batch_.push_back({.kind = RawFileEvent::kOverflow,
                      .path = root.Path(),
                      .boottime_nanos = clock_->BootNanos(),
                      .lost_since_boottime_nanos = last_read_});
  }

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  FileWatch watch_;
  std::function<void(std::span<RawFileEvent>)> deliver_;
  std::vector<std::unique_ptr<Root>> roots_;
  std::vector<RawFileEvent> batch_;
  int64_t last_read_ = 0;
  Handle stop_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileSource> MakeFileSource() {
  return std::make_unique<DirectorySource>();
}

}  // namespace cordon::platform
