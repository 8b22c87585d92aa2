// What a scan makes of what was read; the walk stands in scan_job.cc.

#include <utility>

#include "agent/event/file_state.h"
#include "agent/scan/scan_job.h"
#include "common/base/status.h"
#include "platform/api/file_names.h"

namespace cordon::agent {
absl::Status ScanJob::Submit(ContentPool::Job job) {
  ++job.folder->unread;
  while (!pool_.TrySubmit(&job)) {
    if (Stopped()) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(TakeResults(kWait));
  }
  return absl::OkStatus();
}

absl::Status ScanJob::TakeResults(std::chrono::milliseconds wait) {
  pool_.Take(wait, &results_);
  for (ContentPool::Result& result : results_) CORDON_RETURN_IF_ERROR(TakeResult(result));
  results_.clear();  // what they hold; not their memory
  ledger_.Tick(pool_.BytesRead() + bytes_unread_);
  return absl::OkStatus();
}

absl::Status ScanJob::TakeResult(ContentPool::Result& result) {
  // One that was stopped is still to be read: its folder stays open.
  if (absl::IsCancelled(result.content.status())) return absl::OkStatus();
  const ContentPool::Job& job = *result.job;
  CORDON_RETURN_IF_ERROR(result.content.ok() ? TakeContent(job, *result.content)
                                             : TakeFailure(job, result.content.status()));
  --job.folder->unread;
  ledger_.FileDone(job.metadata.size, *job.folder);
  return RecordIfDone(*job.folder);
}

absl::Status ScanJob::RecordIfDone(Folder& folder) {
  if (mode_ != ScanRoot::Baseline::kCreate || !folder.listed || folder.unread > 0) return absl::OkStatus();
  return baseline_.Add(folder.path, std::exchange(folder.recorded, {}));
}

absl::Status ScanJob::TakeContent(const ContentPool::Job& job, ContentPool::Content& content) {
  FileRecord& file = content.file;
  if (!content.attributes.ok()) {
    ledger_.NotScanned(file.path, Message(content.attributes), *job.folder);
    // What cannot be read is not called changed.
    if (job.before.has_value()) file.attributes = job.before->attributes;
  }
  for (const IndicatorMatch& match : indicators_.MatchDigests({.sha256 = file.sha256, .md5 = content.md5})) {
    CORDON_RETURN_IF_ERROR(TellIndicator(file, match, job));
  }
  if (absl::IsAborted(content.rules.status())) {
    CORDON_RETURN_IF_ERROR(
        ledger_.Tell(ScannerFinding(file.path, Message(content.rules.status())), *job.folder));
  } else if (!content.rules.ok()) {
    ledger_.NotScanned(file.path, Message(content.rules.status()), *job.folder);
  } else {
    for (const std::string& rule : *content.rules) {
      CORDON_RETURN_IF_ERROR(TellIndicator(file, {.rule = rule, .detail = "the rule matches"}, job));
    }
  }
  if (mode_ == ScanRoot::Baseline::kCreate && IsInMemory(file)) file.metadata.ctime_unix_nanos = 0;
  return job.running.empty() ? Settle(std::move(file), job.before, *job.folder) : absl::OkStatus();
}

// Its file system; also when that cannot be told.
bool ScanJob::IsInMemory(const FileRecord& file) {
  const auto known = in_memory_.find(file.metadata.device);
  if (known != in_memory_.end()) return known->second;
  const auto filesystem = platform::ReadFilesystem(platform::PathOfBytes(file.path));
  if (!filesystem.ok()) return true;  // asked again for the next one
  return in_memory_[file.metadata.device] = filesystem->in_memory;
}

absl::Status ScanJob::TakeFailure(const ContentPool::Job& job, const absl::Status& status) {
  if (absl::IsNotFound(status)) {
    return job.before.has_value() ? TellRemoved(*job.before, *job.folder) : absl::OkStatus();
  }
  ledger_.NotScanned(
      job.path,
      absl::IsFailedPrecondition(status) ? "became another thing while it was scanned" : Message(status),
      *job.folder);
  if (!job.running.empty()) return absl::OkStatus();
  // What cannot be read is not called changed.
  FileRecord after{.path = job.path, .metadata = job.metadata};
  if (job.before.has_value()) after.attributes = job.before->attributes;
  return Settle(std::move(after), job.before, *job.folder);
}

// Of running programs: once for each process.
absl::Status ScanJob::TellIndicator(const FileRecord& file, const IndicatorMatch& match,
                                    const ContentPool::Job& job) {
  if (job.running.empty()) return ledger_.Tell(IndicatorFinding(file, match), *job.folder);
  for (const platform::RunningProgram& program : job.running) {
    v1::Finding finding = IndicatorFinding(file, match);
    finding.set_pid(program.pid);
    finding.set_executable(EventPath(program.executable));
    finding.set_detail(StrCat(match.detail, "; process ", program.pid, " executes it",
                              program.deleted ? ", and it is no more on disk" : ""));
    if (processes_ != nullptr) {
      const std::optional<ProcessRef> process = processes_->Find(program.pid, clock_.BootNanos());
      if (process.has_value()) finding.set_process_guid(process->guid);
    }
    CORDON_RETURN_IF_ERROR(ledger_.Tell(std::move(finding), *job.folder));
  }
  return absl::OkStatus();
}

absl::Status ScanJob::Settle(FileRecord after, const std::optional<FileRecord>& before, Folder& folder) {
  if (mode_ == ScanRoot::Baseline::kCreate) {
    folder.recorded.push_back(std::move(after));
    return absl::OkStatus();
  }
  if (mode_ == ScanRoot::Baseline::kNone) return absl::OkStatus();
  if (!before.has_value()) return ledger_.Tell(AddedFinding(after), folder);
  if (before->metadata.type == platform::FileType::kFile && before->sha256.empty() && !after.sha256.empty()) {
    ledger_.NotScanned(after.path, "the baseline has no hash of it: its content could not be compared",
                       folder);
  }
  std::optional<v1::Finding> finding = Compare(*before, after);
  return finding.has_value() ? ledger_.Tell(*std::move(finding), folder) : absl::OkStatus();
}

absl::Status ScanJob::TellRemoved(const FileRecord& before, Folder& folder) {
  if (IsExcluded(before.path)) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(ledger_.Tell(RemovedFinding(before), folder));
  if (before.metadata.type != platform::FileType::kDirectory) return absl::OkStatus();
  return TellRemovedBelow(before.path, folder);
}

// A stop leaves the rest out: the folder must stay open then.
absl::Status ScanJob::TellRemovedBelow(const std::string& path, Folder& folder) {
  return baseline_.ForEachBelow(
      path,
      [&](const FileRecord& record) {
        return IsExcluded(record.path) ? absl::OkStatus() : ledger_.Tell(RemovedFinding(record), folder);
      },
      [this] { return !Stopped(); });
}

}  // namespace cordon::agent
