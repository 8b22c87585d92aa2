#include "agent/scan/scan_job.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/paths.h"
#include "common/base/status.h"
#include "platform/api/file_names.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr int kTickEvery = 64;  // entries: to ask for the time at each one costs more than to compare it

// What was collected for a baseline is on disk before the cursor passes it, too.
ScanLedger::Parts WithBaseline(ScanLedger::Parts parts, Baseline& baseline) {
  parts.flush = [flush = std::move(parts.flush), &baseline]() -> absl::Status {
    CORDON_RETURN_IF_ERROR(baseline.FlushFresh());
    return flush();
  };
  return parts;
}

}  // namespace

ScanJob::ScanJob(SavedJob job, Parts parts, const std::atomic<StopReason>& stop)
    : job_(std::move(job)),
      indicators_(job_.spec.indicators()),
      excluded_(std::move(parts.excluded)),
      baseline_(parts.baseline),
      processes_(parts.processes),
      clock_(parts.ledger.clock),
      stop_(stop),
      ledger_(job_, WithBaseline(std::move(parts.ledger), baseline_)),
      manners_(parts.meter == nullptr
                   ? nullptr
                   : std::make_unique<Manners>(std::move(parts.meter), clock_, [this] { return Stopped(); })),
      open_reader_(std::move(parts.open_reader)),
      learn_baseline_before_(std::move(parts.learn_baseline_before)),
      baseline_before_(job_.baseline_before_sha256),
      pool_(
          {.polite = !job_.spec.full_speed(), .md5 = indicators_.NeedMd5()}, [this] { return KeepGoing(); },
          [this] { return !Stopped(); }, std::move(parts.scanners)) {}

bool ScanJob::KeepGoing() {
  if (manners_ != nullptr) manners_->Wait();
  return !Stopped();
}

v1::ScanProgress ScanJob::Run() {
  if (!job_.spec.full_speed())
    (void)platform::LowerThreadPriority();  // the pool's threads tell when it fails
  absl::Status status = WalkAll();
  if (status.ok()) status = LearnBaselineBefore();
  const bool whole = status.ok() && !Stopped();
  if (whole) status = Finish();
  return End(status, whole);
}

// A stop that comes when the walk is whole comes too late.
v1::ScanProgress ScanJob::End(const absl::Status& status, bool whole) {
  const StopReason reason = whole ? StopReason::kNone : stop_.load();
  absl::Status ended = status;
  if (ended.ok() && reason != StopReason::kNone && reason != StopReason::kCancel)
    ended = ledger_.Checkpoint();
  ledger_.Estimate(pool_.BytesRead() + bytes_unread_);
  v1::ScanProgress& progress = ledger_.Progress();
  if (!ended.ok()) {
    progress.set_state(v1::ScanProgress::STATE_FAILED);
    progress.set_message(std::string(Message(ended)));
  } else if (reason == StopReason::kCancel) {
    progress.set_state(v1::ScanProgress::STATE_CANCELLED);
    progress.set_message("cancelled; what was found until then is told, no baseline was changed");
  } else if (reason == StopReason::kNone) {
    progress.set_state(v1::ScanProgress::STATE_DONE);
  }
  progress.set_remaining_nanos(0);
  return progress;
}

absl::Status ScanJob::WalkAll() {
  for (const ScanRoot& root : job_.roots) {
    if (root.baseline != ScanRoot::Baseline::kCheck) continue;
    CORDON_ASSIGN_OR_RETURN(const uint64_t count, baseline_.CountBelow(root.path));
    ledger_.Expect(count);
  }
  if (job_.spec.indicators().running_processes() && !ledger_.Cursor().has_value()) {
    CORDON_RETURN_IF_ERROR(ReadRunningPrograms());
  }
  for (const ScanRoot& root : job_.roots) {
    // The root before it may have been of another mode, which its results must not see.
    while (pool_.Outstanding() > 0 && !Stopped() && mode_ != root.baseline) {
      CORDON_RETURN_IF_ERROR(TakeResults(kWait));
    }
    mode_ = root.baseline;
    CORDON_RETURN_IF_ERROR(WalkRoot(root));
  }
  ledger_.WalkEnds();
  while (pool_.Outstanding() > 0 && !Stopped()) CORDON_RETURN_IF_ERROR(TakeResults(kWait));
  return absl::OkStatus();
}

// In the ledger they come before all folders, under no name.
absl::Status ScanJob::ReadRunningPrograms() {
  std::map<std::pair<uint64_t, uint64_t>, std::vector<platform::RunningProgram>> by_file;
  for (platform::RunningProgram& program : platform::ListRunningPrograms()) {
    by_file[{program.device, program.inode}].push_back(std::move(program));
  }
  const auto folder = std::make_shared<Folder>();
  ledger_.Begin(folder);
  for (auto& [file, programs] : by_file) {
    ContentPool::Job job{
        .path = programs.front().executable, .running = std::move(programs), .folder = folder};
    for (const IndicatorMatch& match : indicators_.MatchPath(job.path)) {
      CORDON_RETURN_IF_ERROR(TellIndicator({.path = job.path, .metadata = {}}, match, job));
    }
    ledger_.FileFound(0);
    CORDON_RETURN_IF_ERROR(Submit(std::move(job)));
  }
  folder->listed = true;
  return absl::OkStatus();
}

// All below it, in the order of the walk, was done before the job was interrupted.
bool ScanJob::IsDone(const std::string& folder) const {
  return job_.cursor.has_value() && !WalksBefore(*job_.cursor, folder);
}

// It is not done, or something below it is not.
bool ScanJob::HoldsWork(const std::string& folder) const {
  return !IsDone(folder) || IsAtOrBelow(*job_.cursor, folder);
}

absl::Status ScanJob::WalkRoot(const ScanRoot& root) {
  if (!HoldsWork(root.path)) return absl::OkStatus();
  absl::StatusOr<platform::FileMetadata> metadata =
      platform::ReadFileMetadata(platform::PathOfBytes(root.path));
  if (IsDone(root.path)) {
    const bool gone = metadata.ok() ? metadata->type != platform::FileType::kDirectory
                                    : absl::IsNotFound(metadata.status());
    if (metadata.ok() && !gone) {
      folders_.push_back(std::make_shared<Folder>(
          Folder{.path = root.path, .device = metadata->device, .inode = metadata->inode}));
    } else if (gone && mode_ == ScanRoot::Baseline::kCheck) {
      CORDON_ASSIGN_OR_RETURN(std::optional<FileRecord> before, baseline_.Find(root.path));
      if (before.has_value()) PushGone(*std::move(before));
    }
  } else {
    std::optional<FileRecord> before;
    if (mode_ == ScanRoot::Baseline::kCheck) {
      CORDON_ASSIGN_OR_RETURN(before, baseline_.Find(root.path));
    }
    const auto folder = std::make_shared<Folder>(Folder{.path = root.path});
    ledger_.Begin(folder);
    if (absl::IsNotFound(metadata.status()) && before.has_value()) {
      CORDON_RETURN_IF_ERROR(TellRemoved(*before, *folder));
    } else if (!metadata.ok()) {
      ledger_.NotScanned(root.path, Message(metadata.status()), *folder);
    } else {
      CORDON_RETURN_IF_ERROR(Visit(root.path, *std::move(metadata), std::move(before), folder));
    }
    folder->listed = folders_.empty() && !Stopped();  // else it is walked next, or again
    CORDON_RETURN_IF_ERROR(RecordIfDone(*folder));
  }
  if (!folders_.empty()) ReadAhead(root.path);
  while (!folders_.empty() && !Stopped()) {
    const FolderPtr folder = std::move(folders_.back());
    folders_.pop_back();
    CORDON_RETURN_IF_ERROR(WalkFolder(folder));
  }
  folders_.clear();
  ahead_.reset();
  return absl::OkStatus();
}

// Only at full speed: it is for whoever waits. A job that goes on would read all before its cursor again.
void ScanJob::ReadAhead(const std::string& root) {
  const bool worth_it =
      mode_ == ScanRoot::Baseline::kCheck && job_.spec.full_speed() && !job_.cursor.has_value();
  if (!worth_it || open_reader_ == nullptr) return;
  absl::StatusOr<Database> reader = open_reader_();
  if (reader.ok()) ahead_ = std::make_unique<RecordsAhead>(*std::move(reader), root);
}

absl::Status ScanJob::TellGone(const FolderPtr& folder) {
  ledger_.Begin(folder);
  CORDON_RETURN_IF_ERROR(TellRemoved(*folder->gone, *folder));
  folder->listed = !Stopped();
  return TakeResults(std::chrono::milliseconds(0));
}

// A folder that was there when the folder above it was done, and went before all below itself was. In the
// place where the walk would have come to it; one that is done itself, at the cursor, which must not go back.
void ScanJob::PushGone(FileRecord record) {
  if (record.metadata.type != platform::FileType::kDirectory || !HoldsWork(record.path)) return;
  const std::string place = IsDone(record.path) ? *job_.cursor : record.path;
  folders_.push_back(std::make_shared<Folder>(Folder{.path = place, .gone = std::move(record)}));
}

void ScanJob::PushGoneBelow(const Folder& folder) {
  for (const v1::BaselineEntry* gone : known_.NotTaken()) PushGone(ToRecord(folder.path, *gone));
}

// Of a folder that is done: only what lies in it is still to be done.
void ScanJob::PassEntry(const std::string& path, const platform::FileMetadata& metadata,
                        const FolderPtr& folder) {
  const bool is_folder = metadata.type == platform::FileType::kDirectory;
  if (is_folder && HoldsWork(path) && !IsExcluded(path)) Descend(path, metadata, folder);
}

absl::Status ScanJob::WalkFolder(const FolderPtr& folder) {
  if (folder->gone.has_value()) return TellGone(folder);
  const bool done = IsDone(folder->path);
  if (!done) ledger_.Begin(folder);
  known_.Clear();
  if (mode_ == ScanRoot::Baseline::kCheck) {
    CORDON_RETURN_IF_ERROR(known_.Load(baseline_, folder->path, ahead_.get()));
  }
  absl::Status inner;
  int entries = 0;
  const size_t first = folders_.size();
  const std::string prefix = folder->path.ends_with('/') ? folder->path : folder->path + "/";
  const absl::Status read =
      platform::ReadFolder(platform::PathOfBytes(folder->path), [&](platform::FolderEntry entry) {
        // Of a folder that is done, what is no folder any more is as good as gone.
        const bool is_it =
            !done || !entry.status.ok() || entry.metadata.type == platform::FileType::kDirectory;
        const v1::BaselineEntry* recorded = is_it ? known_.Take(entry.name) : nullptr;
        entry.name.insert(0, prefix);
        if (done) {
          PassEntry(entry.name, entry.metadata, folder);
        } else {
          inner = VisitEntry(std::move(entry), folder, recorded);
        }
        if (++entries % kTickEvery == 0) ledger_.Tick(pool_.BytesRead() + bytes_unread_);
        return inner.ok() && KeepGoing();
      });
  CORDON_RETURN_IF_ERROR(inner);
  if (Stopped()) return absl::OkStatus();
  // What could not be listed is not gone.
  const bool listed = read.ok() || absl::IsNotFound(read);
  if (!listed) ledger_.NotScanned(folder->path, Message(read), *folder);
  if (listed && done) PushGoneBelow(*folder);
  std::ranges::sort(folders_.begin() + static_cast<std::ptrdiff_t>(first), folders_.end(),
                    [](const FolderPtr& a, const FolderPtr& b) { return WalksBefore(b->path, a->path); });
  if (done) return TakeResults(std::chrono::milliseconds(0));
  for (const v1::BaselineEntry* gone : listed ? known_.NotTaken() : std::vector<const v1::BaselineEntry*>()) {
    CORDON_RETURN_IF_ERROR(TellRemoved(ToRecord(folder->path, *gone), *folder));
    if (Stopped()) return absl::OkStatus();  // not all of it may be told
  }
  folder->listed = true;
  CORDON_RETURN_IF_ERROR(RecordIfDone(*folder));
  return TakeResults(std::chrono::milliseconds(0));
}

// `entry.name` is its whole path.
absl::Status ScanJob::VisitEntry(platform::FolderEntry entry, const FolderPtr& folder,
                                 const v1::BaselineEntry* recorded) {
  if (!entry.status.ok()) {
    ledger_.NotScanned(entry.name, Message(entry.status), *folder);
    return absl::OkStatus();
  }
  if (IsExcluded(entry.name)) return absl::OkStatus();
  const bool untouched =
      recorded != nullptr && !job_.spec.full_reread() && LooksUntouched(*recorded, entry.metadata);
  if (untouched && !indicators_.NeedContent()) return VisitUntouched(entry.name, entry.metadata, folder);
  std::optional<FileRecord> before;
  if (recorded != nullptr) before = ToRecord(folder->path, *recorded);
  return Visit(entry.name, std::move(entry.metadata), std::move(before), folder);
}

// What nearly all entries of a check are: kept cheap.
absl::Status ScanJob::VisitUntouched(const std::string& path, const platform::FileMetadata& metadata,
                                     const FolderPtr& folder) {
  if (metadata.type == platform::FileType::kDirectory) Descend(path, metadata, folder);
  CORDON_RETURN_IF_ERROR(MatchPath(path, metadata, *folder));
  if (metadata.type == platform::FileType::kFile) PassUnread(metadata.size, *folder);
  return absl::OkStatus();
}

absl::Status ScanJob::MatchPath(const std::string& path, const platform::FileMetadata& metadata,
                                Folder& folder) {
  for (const IndicatorMatch& match : indicators_.MatchPath(path)) {
    CORDON_RETURN_IF_ERROR(
        ledger_.Tell(IndicatorFinding({.path = path, .metadata = metadata}, match), folder));
  }
  return absl::OkStatus();
}

void ScanJob::PassUnread(uint64_t bytes, Folder& folder) {
  ledger_.FileFound(bytes);
  bytes_unread_ += bytes;
  ledger_.FileDone(bytes, folder);
}

absl::Status ScanJob::Visit(const std::string& path, platform::FileMetadata metadata,
                            std::optional<FileRecord> before, const FolderPtr& folder) {
  if (metadata.type == platform::FileType::kDirectory) Descend(path, metadata, folder);
  CORDON_RETURN_IF_ERROR(MatchPath(path, metadata, *folder));
  // What was a folder and is none any more took all below with it.
  const bool was_folder = before.has_value() && before->metadata.type == platform::FileType::kDirectory;
  if (was_folder && metadata.type != platform::FileType::kDirectory) {
    CORDON_RETURN_IF_ERROR(TellRemovedBelow(path, *folder));
  }
  if (metadata.type == platform::FileType::kFile) {
    return VisitFile(path, std::move(metadata), std::move(before), folder);
  }
  const bool untouched = before.has_value() && !job_.spec.full_reread() && LooksUntouched(*before, metadata);
  if (mode_ == ScanRoot::Baseline::kNone || untouched) return absl::OkStatus();
  absl::StatusOr<platform::FileAttributes> attributes = platform::ReadAttributes(platform::PathOfBytes(path));
  if (absl::IsNotFound(attributes.status())) {
    return before.has_value() ? TellRemoved(*before, *folder) : absl::OkStatus();
  }
  FileRecord after{.path = path, .metadata = std::move(metadata)};
  if (attributes.ok()) {
    after.attributes = *std::move(attributes);
  } else {
    ledger_.NotScanned(path, Message(attributes.status()), *folder);
    if (before.has_value()) after.attributes = before->attributes;
  }
  return Settle(std::move(after), before, *folder);
}

absl::Status ScanJob::VisitFile(const std::string& path, platform::FileMetadata metadata,
                                std::optional<FileRecord> before, const FolderPtr& folder) {
  const bool untouched = before.has_value() && !job_.spec.full_reread() && LooksUntouched(*before, metadata);
  const bool for_baseline = mode_ != ScanRoot::Baseline::kNone && !untouched;
  // Indicators are looked for in what is on disk, whatever the baseline remembers of it.
  if (!for_baseline && !indicators_.NeedContent()) {
    PassUnread(metadata.size, *folder);
    return absl::OkStatus();
  }
  ledger_.FileFound(metadata.size);
  return Submit(
      {.path = path, .metadata = std::move(metadata), .before = std::move(before), .folder = folder});
}

void ScanJob::Descend(const std::string& path, const platform::FileMetadata& metadata,
                      const FolderPtr& parent) {
  if (parent->path == path) {  // a root, which is its own place
    parent->device = metadata.device;
    parent->inode = metadata.inode;
    folders_.push_back(parent);
    return;
  }
  for (std::shared_ptr<const Folder> above = parent; above != nullptr; above = above->parent) {
    if (above->device == metadata.device && above->inode == metadata.inode) {
      return ledger_.NotScanned(path, "is a mount of a folder above it", *parent);
    }
  }
  if (parent->device != metadata.device) {
    const auto filesystem = platform::ReadFilesystem(platform::PathOfBytes(path));
    if (!filesystem.ok()) return ledger_.NotScanned(path, Message(filesystem.status()), *parent);
    if (filesystem->kind == platform::FilesystemKind::kNetwork) {
      return ledger_.NotScanned(
          path, StrCat("a network file system (", filesystem->name, "); name it to have it scanned"),
          *parent);
    }
    if (filesystem->kind == platform::FilesystemKind::kKernel) {
      return ledger_.NotScanned(path, StrCat("holds no files (", filesystem->name, ")"), *parent);
    }
  }
  folders_.push_back(std::make_shared<Folder>(
      Folder{.path = path, .device = metadata.device, .inode = metadata.inode, .parent = parent}));
}

absl::Status ScanJob::LearnBaselineBefore() {
  if (baseline_before_.has_value() || learn_baseline_before_ == nullptr || Stopped()) return absl::OkStatus();
  absl::StatusOr<std::string> learnt = learn_baseline_before_();
  if (absl::IsCancelled(learnt.status())) return absl::OkStatus();  // by a stop, before the job is whole
  CORDON_ASSIGN_OR_RETURN(baseline_before_, std::move(learnt));
  return absl::OkStatus();
}

absl::Status ScanJob::Finish() {
  CORDON_RETURN_IF_ERROR(ledger_.Checkpoint());
  std::vector<std::string> created;
  std::vector<std::string> recorded;
  for (const ScanRoot& root : job_.roots) {
    if (root.baseline == ScanRoot::Baseline::kCreate) created.push_back(root.path);
    if (root.baseline != ScanRoot::Baseline::kNone) recorded.push_back(root.path);
  }
  if (recorded.empty()) return absl::OkStatus();
  // A check changes nothing. One that goes on may have been a baseline that was all made when a crash came.
  if (created.empty() && baseline_before_.has_value() && !job_.cursor.has_value()) {
    ledger_.Progress().set_baseline_sha256(*baseline_before_);
    return absl::OkStatus();
  }
  if (!created.empty()) CORDON_RETURN_IF_ERROR(baseline_.Replace(created, clock_.WallNanos()));
  CORDON_ASSIGN_OR_RETURN(*ledger_.Progress().mutable_baseline_sha256(), baseline_.Hash(recorded));
  return absl::OkStatus();
}

bool ScanJob::IsExcluded(const std::string& path) const {
  return std::ranges::any_of(excluded_, [&](const std::string& prefix) { return IsAtOrBelow(path, prefix); });
}

}  // namespace cordon::agent
