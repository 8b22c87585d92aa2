#include "agent/scan/scan_ledger.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/digest.h"

namespace cordon::agent {
namespace {

constexpr int64_t kTickNanos = 500 * kNanosPerMilli;
// A file costs about as much as reading this many bytes, in estimates of the time left.
constexpr double kBytesPerFile = 32 * 1024;

std::string DigestOf(const v1::Finding& finding) {
  Sha256Stream digest;
  digest.UpdateU32(finding.kind());
  digest.UpdateU32(finding.pid());
  digest.UpdateU32(static_cast<uint32_t>(finding.path().size()));
  digest.Update(finding.path());
  digest.Update(finding.rule());
  return digest.Finish();
}

}  // namespace

ScanLedger::ScanLedger(const SavedJob& job, Parts parts)
    : parts_(std::move(parts)),
      began_(parts_.clock.BootNanos()),
      elapsed_before_(job.progress.elapsed_nanos()),
      bytes_before_(job.progress.bytes_done()),
      cursor_(job.cursor),
      done_(job.progress),
      progress_(job.progress),
      files_found_(job.progress.files_done()),
      bytes_found_(job.progress.bytes_done()) {
  progress_.set_order_id(job.order_id);
  progress_.set_state(v1::ScanProgress::STATE_RUNNING);
}

absl::Status ScanLedger::Tell(v1::Finding finding, Folder& folder) {
  finding.set_order_id(progress_.order_id());
  std::string digest = DigestOf(finding);
  CORDON_ASSIGN_OR_RETURN(const JobStore::Told told, parts_.store.Remember(digest));
  if (told == JobStore::Told::kCounted) return absl::OkStatus();
  // What is gone can be found once more, by a job that goes on and looks at the folder above it again.
  const bool removed = finding.kind() == v1::Finding::KIND_REMOVED;
  (removed ? folder.told_removed : folder.told).push_back(digest);
  folder.done.set_findings(folder.done.findings() + 1);
  progress_.set_findings(progress_.findings() + 1);
  if (told == JobStore::Told::kYes) return absl::OkStatus();
  if (told == JobStore::Told::kPerhaps) {
    finding.set_detail(StrCat(finding.detail(), " (perhaps told before: the agent ended at that moment)"));
  }
  told_.push_back(std::move(digest));
  v1::Event event;
  *event.mutable_finding() = std::move(finding);
  parts_.sink.Emit(v1::EVENT_CLASS_FINDING, parts_.clock.WallNanos(), std::move(event));
  return absl::OkStatus();
}

void ScanLedger::NotScanned(const std::string& path, std::string_view reason, Folder& folder) {
  AddNotScanned(path, reason, &folder.done);
  AddNotScanned(path, reason, &progress_);
}

void ScanLedger::FileFound(uint64_t bytes) {
  ++files_found_;
  bytes_found_ += bytes;
}

void ScanLedger::FileDone(uint64_t bytes, Folder& folder) {
  folder.done.set_files_done(folder.done.files_done() + 1);
  folder.done.set_bytes_done(folder.done.bytes_done() + bytes);
  progress_.set_files_done(progress_.files_done() + 1);
}

void ScanLedger::Tick(uint64_t bytes_read) {
  const int64_t now = parts_.clock.BootNanos();
  if (now - last_tick_ < kTickNanos) return;
  last_tick_ = now;
  // A cursor that cannot be moved is no reason to stop: more would be done again after a crash.
  if (const absl::Status moved = Checkpoint(); !moved.ok()) {
    spdlog::warn("scan: the cursor stays where it was: {}", Message(moved));
  }
  Estimate(bytes_read);
  v1::ScanProgress told = progress_;
  told.clear_not_scanned();
  parts_.on_progress(told);
}

absl::Status ScanLedger::Checkpoint() {
  for (const FolderPtr& folder : frontier_.TakeDone()) {
    AddTo(folder->done, &done_);
    std::ranges::move(folder->told, std::back_inserter(done_findings_));
    std::ranges::move(folder->told_removed, std::back_inserter(kept_findings_));
    cursor_ = folder->path;
  }
  // TEL-1: what lies before the cursor is not told again, so it must not be lost with this process.
  CORDON_RETURN_IF_ERROR(parts_.flush());
  done_.set_elapsed_nanos(elapsed_before_ + parts_.clock.BootNanos() - began_);
  CORDON_RETURN_IF_ERROR(parts_.store.Advance(
      {.cursor = cursor_, .progress = done_, .told = told_, .done = done_findings_, .kept = kept_findings_}));
  told_.clear();
  done_findings_.clear();
  kept_findings_.clear();
  return absl::OkStatus();
}

void ScanLedger::Estimate(uint64_t bytes_read) {
  progress_.set_elapsed_nanos(elapsed_before_ + parts_.clock.BootNanos() - began_);
  progress_.set_bytes_done(bytes_before_ + bytes_read);
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
