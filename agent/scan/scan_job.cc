#include "agent/scan/scan_job.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "agent/event/file_state.h"
#include "common/base/status.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr int kMaxNotScannedTold = 1000;
constexpr int64_t kTickNanos = 500 * kNanosPerMilli;
constexpr auto kWait = std::chrono::milliseconds(200);
// A file costs about as much as reading this many bytes, in estimates of the time left.
constexpr double kBytesPerFile = 32 * 1024;

bool IsAtOrBelow(const std::string& path, const std::string& prefix) {
  if (prefix == "/" || path == prefix) return true;
  return path.starts_with(prefix) && path[prefix.size()] == '/';
}

}  // namespace

ScanJob::ScanJob(ScanJobSpec spec, Baseline& baseline, const Clock& clock, EventSink& sink,
                 const std::atomic<bool>& cancelled, std::function<void(const v1::ScanProgress&)> on_progress)
    : spec_(std::move(spec)),
      baseline_(baseline),
      clock_(clock),
      sink_(sink),
      cancelled_(cancelled),
      on_progress_(std::move(on_progress)),
      pool_(spec_.full_speed ? 2 : 1, !spec_.full_speed, cancelled) {}

v1::ScanProgress ScanJob::Run() {
  began_ = clock_.BootNanos();
  progress_.set_order_id(spec_.order_id);
  progress_.set_state(v1::ScanProgress::STATE_RUNNING);
  if (!spec_.full_speed) (void)platform::LowerThreadPriority();  // the pool's threads tell when it fails
  absl::Status status = WalkAll();
  if (status.ok()) status = Finish();
  Estimate();
  if (cancelled_) {
    progress_.set_state(v1::ScanProgress::STATE_CANCELLED);
    progress_.set_message("cancelled; what was found until then is told, no baseline was changed");
  } else if (!status.ok()) {
    progress_.set_state(v1::ScanProgress::STATE_FAILED);
    progress_.set_message(std::string(Message(status)));
  } else {
    progress_.set_state(v1::ScanProgress::STATE_DONE);
  }
  progress_.set_remaining_nanos(0);
  return progress_;
}

absl::Status ScanJob::WalkAll() {
  CORDON_RETURN_IF_ERROR(baseline_.ClearFresh());
  for (const ScanRoot& root : spec_.roots) {
    if (root.create) continue;
    CORDON_ASSIGN_OR_RETURN(const uint64_t count, baseline_.CountBelow(root.path));
    files_expected_ += count;
  }
  for (const ScanRoot& root : spec_.roots) {
    creating_ = root.create;
    CORDON_RETURN_IF_ERROR(WalkRoot(root));
    // The next root may be of the other mode, which the results must not see.
    while (pool_.Outstanding() > 0 && !cancelled_ && &root != &spec_.roots.back()) {
      CORDON_RETURN_IF_ERROR(TakeResults(kWait));
    }
  }
  walk_done_ = true;
  while (pool_.Outstanding() > 0 && !cancelled_) CORDON_RETURN_IF_ERROR(TakeResults(kWait));
  return absl::OkStatus();
}

absl::Status ScanJob::WalkRoot(const ScanRoot& root) {
  std::optional<FileRecord> before;
  if (!creating_) {
    CORDON_ASSIGN_OR_RETURN(before, baseline_.Find(root.path));
  }
  absl::StatusOr<platform::FileMetadata> metadata = platform::ReadFileMetadata(root.path);
  if (absl::IsNotFound(metadata.status()) && before.has_value()) return TellRemoved(*before);
  if (!metadata.ok()) {
    NotScanned(root.path, Message(metadata.status()));
    return absl::OkStatus();
  }
  CORDON_RETURN_IF_ERROR(Visit(root.path, *std::move(metadata), std::move(before), nullptr));
  while (!folders_.empty() && !cancelled_) {
    const PlacePtr folder = std::move(folders_.back());
    folders_.pop_back();
    CORDON_RETURN_IF_ERROR(WalkFolder(folder));
  }
  folders_.clear();
  return absl::OkStatus();
}

absl::Status ScanJob::WalkFolder(const PlacePtr& folder) {
  std::unordered_map<std::string, FileRecord> before;
  if (!creating_) {
    CORDON_ASSIGN_OR_RETURN(std::vector<FileRecord> children, baseline_.Children(folder->path));
    for (FileRecord& child : children) {
      std::string path = child.path;
      before.emplace(std::move(path), std::move(child));
    }
  }
  absl::Status inner;
  const std::string prefix = folder->path == "/" ? "/" : folder->path + "/";
  const absl::Status read = platform::ReadFolder(folder->path, [&](platform::FolderEntry entry) {
    const std::string path = prefix + entry.name;
    std::optional<FileRecord> known;
    if (auto node = before.extract(path)) known = std::move(node.mapped());
    if (!entry.status.ok()) {
      NotScanned(path, Message(entry.status));
    } else if (!IsExcluded(path)) {
      inner = Visit(path, std::move(entry.metadata), std::move(known), folder);
    }
    Tick();
    return inner.ok() && !cancelled_;
  });
  CORDON_RETURN_IF_ERROR(inner);
  if (cancelled_) return absl::OkStatus();
  if (!read.ok()) {
    // What could not be listed is not gone.
    if (!absl::IsNotFound(read)) NotScanned(folder->path, Message(read));
    if (!absl::IsNotFound(read)) before.clear();
  }
  for (const auto& [path, record] : before) CORDON_RETURN_IF_ERROR(TellRemoved(record));
  return TakeResults(std::chrono::milliseconds(0));
}

absl::Status ScanJob::Visit(const std::string& path, platform::FileMetadata metadata,
                            std::optional<FileRecord> before, const PlacePtr& parent) {
  if (metadata.type == platform::FileType::kDirectory) Descend(path, metadata, parent);
  // What was a folder and is none any more took all below with it.
  const bool was_folder = before.has_value() && before->metadata.type == platform::FileType::kDirectory;
  if (was_folder && metadata.type != platform::FileType::kDirectory) {
    CORDON_RETURN_IF_ERROR(baseline_.ForEachBelow(path, [&](const FileRecord& record) {
      Tell(RemovedFinding(record));
      return absl::OkStatus();
    }));
  }
  if (metadata.type != platform::FileType::kFile) {
    return Settle({.path = path, .metadata = std::move(metadata), .sha256 = {}}, before);
  }
  ++files_found_;
  bytes_found_ += metadata.size;
  if (before.has_value() && !spec_.full_reread && LooksUntouched(before->metadata, metadata)) {
    bytes_unread_ += metadata.size;
    progress_.set_files_done(progress_.files_done() + 1);
    return absl::OkStatus();
  }
  return Submit({.path = path, .before = std::move(before), .metadata = std::move(metadata)});
}

void ScanJob::Descend(const std::string& path, const platform::FileMetadata& metadata,
                      const PlacePtr& parent) {
  for (PlacePtr above = parent; above != nullptr; above = above->parent) {
    if (above->device == metadata.device && above->inode == metadata.inode) {
      return NotScanned(path, "is a mount of a folder above it");
    }
  }
  if (parent != nullptr && parent->device != metadata.device) {
    const auto filesystem = platform::ReadFilesystem(path);
    if (!filesystem.ok()) return NotScanned(path, Message(filesystem.status()));
    if (filesystem->kind == platform::FilesystemKind::kNetwork) {
      return NotScanned(path,
                        StrCat("a network file system (", filesystem->name, "); name it to have it scanned"));
    }
    if (filesystem->kind == platform::FilesystemKind::kKernel) {
      return NotScanned(path, StrCat("holds no files (", filesystem->name, ")"));
    }
  }
  folders_.push_back(std::make_shared<const Place>(
      Place{.path = path, .device = metadata.device, .inode = metadata.inode, .parent = parent}));
}

absl::Status ScanJob::Submit(HashPool::Job job) {
  while (!pool_.TrySubmit(&job)) {
    if (cancelled_) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(TakeResults(kWait));
  }
  return absl::OkStatus();
}

absl::Status ScanJob::TakeResults(std::chrono::milliseconds wait) {
  for (HashPool::Result& result : pool_.Take(wait)) CORDON_RETURN_IF_ERROR(TakeResult(std::move(result)));
  Tick();
  return absl::OkStatus();
}

absl::Status ScanJob::TakeResult(HashPool::Result result) {
  HashPool::Job& job = result.job;
  progress_.set_files_done(progress_.files_done() + 1);
  if (result.hashed.ok()) {
    return Settle({.path = std::move(job.path),
                   .metadata = std::move(result.hashed->metadata),
                   .sha256 = std::move(result.hashed->sha256)},
                  job.before);
  }
  const absl::Status& status = result.hashed.status();
  if (absl::IsCancelled(status)) return absl::OkStatus();
  if (absl::IsNotFound(status)) return job.before.has_value() ? TellRemoved(*job.before) : absl::OkStatus();
  NotScanned(job.path, absl::IsFailedPrecondition(status) ? "became another thing while it was scanned"
                                                          : Message(status));
  return Settle({.path = std::move(job.path), .metadata = std::move(job.metadata), .sha256 = {}}, job.before);
}

absl::Status ScanJob::Settle(FileRecord after, const std::optional<FileRecord>& before) {
  if (creating_) return baseline_.Add(after);
  if (!before.has_value()) {
    Tell(AddedFinding(after));
  } else if (std::optional<v1::Finding> finding = Compare(*before, after)) {
    Tell(*std::move(finding));
  }
  return absl::OkStatus();
}

absl::Status ScanJob::TellRemoved(const FileRecord& before) {
  if (IsExcluded(before.path)) return absl::OkStatus();
  Tell(RemovedFinding(before));
  if (before.metadata.type != platform::FileType::kDirectory) return absl::OkStatus();
  return baseline_.ForEachBelow(before.path, [&](const FileRecord& record) {
    if (!IsExcluded(record.path)) Tell(RemovedFinding(record));
    return absl::OkStatus();
  });
}

absl::Status ScanJob::Finish() {
  if (cancelled_) return baseline_.ClearFresh();
  std::vector<std::string> created;
  std::vector<std::string> all;
  for (const ScanRoot& root : spec_.roots) {
    all.push_back(root.path);
    if (root.create) created.push_back(root.path);
  }
  if (!created.empty()) CORDON_RETURN_IF_ERROR(baseline_.Replace(created, clock_.WallNanos()));
  CORDON_ASSIGN_OR_RETURN(*progress_.mutable_baseline_sha256(), baseline_.Hash(all));
  return absl::OkStatus();
}

void ScanJob::Tell(v1::Finding finding) {
  finding.set_order_id(spec_.order_id);
  progress_.set_findings(progress_.findings() + 1);
  v1::Event event;
  *event.mutable_finding() = std::move(finding);
  sink_.Emit(v1::EVENT_CLASS_FINDING, clock_.WallNanos(), std::move(event));
}

void ScanJob::NotScanned(const std::string& path, std::string_view reason) {
  progress_.set_not_scanned_count(progress_.not_scanned_count() + 1);
  if (progress_.not_scanned_size() >= kMaxNotScannedTold) return;
  v1::NotScanned* entry = progress_.add_not_scanned();
  entry->set_path(EventPath(path));
  entry->set_reason(std::string(reason));
}

bool ScanJob::IsExcluded(const std::string& path) const {
  return std::ranges::any_of(spec_.excluded,
                             [&](const std::string& prefix) { return IsAtOrBelow(path, prefix); });
}

void ScanJob::Tick() {
  const int64_t now = clock_.BootNanos();
  if (now - last_tick_ < kTickNanos) return;
  last_tick_ = now;
  Estimate();
  v1::ScanProgress told = progress_;
  told.clear_not_scanned();
  on_progress_(told);
}

void ScanJob::Estimate() {
  progress_.set_elapsed_nanos(clock_.BootNanos() - began_);
  progress_.set_bytes_done(pool_.BytesRead() + bytes_unread_);
  const bool by_baseline = files_expected_ >= files_found_ && files_expected_ > 0;
  if (walk_done_) {
    progress_.set_files_total(files_found_);
    progress_.set_bytes_total(bytes_found_);
  } else {
    progress_.set_files_total(by_baseline ? files_expected_ : 0);
  }
  if (progress_.files_total() == 0 || progress_.files_done() == 0) return progress_.set_remaining_nanos(0);
  const double done = static_cast<double>(progress_.files_done()) * kBytesPerFile +
                      (walk_done_ ? static_cast<double>(progress_.bytes_done()) : 0);
  const double total = static_cast<double>(progress_.files_total()) * kBytesPerFile +
                       (walk_done_ ? static_cast<double>(progress_.bytes_total()) : 0);
  const double left = std::max(0.0, total - done) / done;
  progress_.set_remaining_nanos(static_cast<int64_t>(static_cast<double>(progress_.elapsed_nanos()) * left));
}

}  // namespace cordon::agent
