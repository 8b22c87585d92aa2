// File changes by ReadDirectoryChangesW, and by the volumes' journals what changed before.

#include "platform/windows/files/directory_source.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/file_tree.h"
#include "platform/api/files.h"
#include "platform/api/system.h"
#include "platform/windows/files/directory_watch.h"
#include "platform/windows/files/usn_journal.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr DWORD kRetryMillis = 2'000;  // for roots that do not exist yet
constexpr int kLastRounds = 64;        // of reads once a stop was asked for
constexpr wchar_t kPositionsFile[] = L"journal-positions";
constexpr DWORD kKeepMillis = 60'000;  // the places in the journals
constexpr size_t kMostRoots = MAXIMUM_WAIT_OBJECTS - 1;

bool IsBelowOrAt(const std::filesystem::path& path, const std::filesystem::path& prefix) {
  // Names do not differ by capitals here.
  const std::wstring_view text = path.native();
  std::wstring_view start = prefix.native();
  if (start.ends_with(L'\\')) start.remove_suffix(1);  // "C:\"
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

class DirectorySource final : public FileSource {
 public:
  ~DirectorySource() override { Stop(); }

  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    watch_ = watch;
    // Settings are spelled with slashes too; what is compared is text.
    for (std::filesystem::path& path : watch_.roots) path.make_preferred();
    for (std::filesystem::path& path : watch_.excluded) path.make_preferred();
    watch_.canary.make_preferred();
    deliver_ = std::move(deliver);
    roots_.clear();
    std::vector<std::filesystem::path> paths = watch_.roots;
    if (!watch_.canary.empty()) paths.push_back(watch_.canary);
    if (paths.size() > kMostRoots)
      return absl::InvalidArgumentError(StrCat("at most ", kMostRoots - 1, " folders can be watched"));
    for (const std::filesystem::path& path : paths) {
      if (!path.is_absolute())
        return absl::InvalidArgumentError(StrCat("a folder to watch must be absolute: ", Shown(path)));
      auto root = std::make_unique<DirectoryWatch>(path);
      const absl::Status opened = root->Open();
      if (!opened.ok() && !absl::IsNotFound(opened)) return opened;
      roots_.push_back(std::move(root));
    }
    last_read_ = clock_->BootNanos();
    BeginJournals();
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
    FileSourceInfo info{
        .name = "directory-changes",
        .limitations = {
            "When more happens at once than the kernel keeps, the folder is looked through anew."}};
    if (!journals_.has_value()) return info;
    for (std::string& limitation : journals_->Limitations())
      info.limitations.push_back(std::move(limitation));
    return info;
  }

 private:
  void Read() {
    while (true) {
      std::vector<HANDLE> events = {stop_.Get()};
      for (const auto& root : roots_) {
        if (!root->Watched() && root->Open().ok())
          Overflow(*root);  // what was in it when it came was not seen
        if (root->Watched()) events.push_back(root->Event());
      }
      const DWORD woken =
          WaitForMultipleObjects(static_cast<DWORD>(events.size()), events.data(), FALSE, Patience());
      if (woken == WAIT_FAILED) return GiveUp();
      if (woken == WAIT_OBJECT_0) return End();
      ServeAll();
      Deliver();
      if (journals_.has_value()) TellJournals();
      Deliver();
    }
  }

  DWORD Patience() const {
    if (!batch_.empty() || (journals_.has_value() && journals_->CatchingUp())) return 0;
    const auto watched = [](const auto& root) { return root->Watched(); };
    if (!std::ranges::all_of(roots_, watched)) return kRetryMillis;
    return journals_.has_value() ? kKeepMillis : INFINITE;
  }

  // More may be ready than the one that woke us.
  void ServeAll() {
    for (const auto& root : roots_)
      if (root->Watched() && WaitForSingleObject(root->Event(), 0) == WAIT_OBJECT_0) Serve(*root);
  }

  void Deliver() {
    if (!batch_.empty()) deliver_(batch_);
    batch_.clear();
  }

  // TEL-1: what has come by now is told still, and when somebody never ceases, that there was more. What
  // comes later is behind the place in the journal that is kept.
  void End() {
    if (journals_.has_value()) journals_->Look(clock_->WallNanos());
    for (const auto& root : roots_) {
      int rounds = 0;
      while (root->Watched() && WaitForSingleObject(root->Event(), 0) == WAIT_OBJECT_0) {
        if (++rounds > kLastRounds) {
          Overflow(*root);
          break;
        }
        Serve(*root);
      }
    }
    Deliver();
    if (journals_.has_value()) journals_->Keep();
  }

  // Nothing more will be seen, and whoever listens is told.
  void GiveUp() {
    for (const auto& root : roots_) Overflow(*root);
    Deliver();
  }

  // After the watches stand, so that nothing lies between.
  void BeginJournals() {
    journals_.reset();
    if (watch_.memory.empty()) return;
    const std::filesystem::path file = watch_.memory / kPositionsFile;
    journals_.emplace(OpenUsnVolumes(watch_.roots), [file](const std::string& positions) {
      return WriteFileDurably(file, positions, FileAccess::kOwnerOnly);
    });
    std::optional<UsnJournals::Saved> saved;
    const absl::StatusOr<FileMetadata> metadata = ReadFileMetadata(file);
    if (!absl::IsNotFound(metadata.status())) {
      saved.emplace();  // one that cannot be read is a damaged one
      saved->text = ReadFileBounded(file, kMostUsnPositionBytes).value_or("");
      if (metadata.ok()) saved->unix_nanos = metadata->mtime_unix_nanos;
    }
    last_look_ = clock_->BootNanos();
    journals_->Begin(saved, watch_.catch_up, clock_->WallNanos());
  }

  // A piece of what happened before; from time to time the place in the journals is kept.
  void TellJournals() {
    const int64_t now = clock_->BootNanos();
    if (journals_->CatchingUp()) {
      UsnJournals::Step step = journals_->Next();
      for (UsnTold& told : step.told) TellBefore(std::move(told));
      for (const UsnJournals::Lost& lost : step.lost) TellLostBefore(lost);
    } else if (now - last_look_ >= kKeepMillis * kNanosPerMilli) {
      journals_->Keep();
      journals_->Look(clock_->WallNanos());
      last_look_ = now;
    }
  }

  void TellBefore(UsnTold told) {
    RawFileEvent event{.kind = told.kind,
                       .is_directory = told.is_directory,
                       .path = std::wstring(told.path.begin(), told.path.end()),
                       .old_path = std::wstring(told.old_path.begin(), told.old_path.end()),
                       .boottime_nanos = BootNanosOfRecent(told.file_time, *clock_),
                       .while_away = true};
    const auto counts = [this](const std::filesystem::path& path) {
      const auto holds = [&](const std::filesystem::path& root) { return IsBelowOrAt(path, root); };
      return std::ranges::any_of(watch_.roots, holds) && std::ranges::none_of(watch_.excluded, holds);
    };
    if (counts(event.path) || counts(event.old_path)) batch_.push_back(std::move(event));
  }

  // TEL-1
  void TellLostBefore(const UsnJournals::Lost& lost) {
    const int64_t now = clock_->BootNanos();
    batch_.push_back({.kind = RawFileEvent::kOverflow,
                      .path = std::wstring(lost.mounted_at.begin(), lost.mounted_at.end()),
                      .boottime_nanos = now,
                      .lost_count = lost.changes,
                      .lost_since_boottime_nanos = now - (clock_->WallNanos() - lost.since_unix_nanos),
                      .lost_because = lost.why,
                      .while_away = true});
  }

  void Serve(DirectoryWatch& root) {
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

  std::filesystem::path Full(const DirectoryWatch& root, const NotifyRecord& record) const {
    return root.Path() / std::wstring(record.name.begin(), record.name.end());
  }

  void Translate(const DirectoryWatch& root, const NotifyRecord& record, const NotifyRecord* renamed_to) {
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

  bool Counts(const DirectoryWatch& root, const std::filesystem::path& path) const {
    if (path.empty()) return false;
    if (!watch_.canary.empty() && IsBelowOrAt(path, watch_.canary))
      return IsBelowOrAt(root.Path(), watch_.canary);
    return std::ranges::none_of(watch_.excluded,
                                [&](const auto& prefix) { return IsBelowOrAt(path, prefix); });
  }

  // TEL-1
  void Overflow(const DirectoryWatch& root) {
    batch_.push_back({.kind = RawFileEvent::kOverflow,
                      .path = root.Path(),
                      .boottime_nanos = clock_->BootNanos(),
                      .lost_since_boottime_nanos = last_read_});
  }

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  FileWatch watch_;
  std::function<void(std::span<RawFileEvent>)> deliver_;
  std::vector<std::unique_ptr<DirectoryWatch>> roots_;
  std::vector<RawFileEvent> batch_;
  int64_t last_read_ = 0;
  std::optional<UsnJournals> journals_;  // none: nothing is kept
  int64_t last_look_ = 0;
  Handle stop_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileSource> MakeDirectorySource() {
  return std::make_unique<DirectorySource>();
}

}  // namespace cordon::platform
