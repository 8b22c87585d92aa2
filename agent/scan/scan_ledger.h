#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/scan/job_store.h"
#include "agent/scan/walk.h"
#include "common/base/clock.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// What a job has done, found and could not do: counts, the cursor on disk, and findings, each of which is
// told once (or, after a crash, with a word that it may have been told before). The job's thread only.
class ScanLedger {
 public:
  struct Parts {
    JobStore& store;
    const Clock& clock;
    EventSink& sink;
    std::function<absl::Status()> flush;  // returns when all that was emitted is in the spool
    std::function<void(const v1::ScanProgress&)> on_progress;
  };
  // Continues where `job` is.
  ScanLedger(const SavedJob& job, Parts parts);

  // The folder is the next one in the order of the walk. Twice is once.
  void Begin(const FolderPtr& folder) { frontier_.Begin(folder); }
  absl::Status Tell(v1::Finding finding, Folder& folder);
  void NotScanned(const std::string& path, std::string_view reason, Folder& folder);
  // A file counts as soon as it is found, and again when nothing is left to do for it.
  void FileFound(uint64_t bytes);
  void FileDone(uint64_t bytes, Folder& folder);
  void Expect(uint64_t files) { files_expected_ += files; }  // by the baseline
  void WalkEnds() { walk_done_ = true; }

  // Twice a second at most: tells progress and moves the cursor. `bytes_read`: by the pool, files that are
  // being read included.
  void Tick(uint64_t bytes_read);
  // Moves the cursor as far as it goes, now.
  absl::Status Checkpoint();

  const std::optional<std::string>& Cursor() const { return cursor_; }
  v1::ScanProgress& Progress() { return progress_; }
  void Estimate(uint64_t bytes_read);

 private:
  const Parts parts_;
  const int64_t began_;
  const int64_t elapsed_before_;
  const uint64_t bytes_before_;
  Frontier frontier_;
  std::optional<std::string> cursor_;
  v1::ScanProgress done_;                   // up to the cursor
  v1::ScanProgress progress_;               // with what is beyond it
  std::vector<std::string> told_;           // since the last checkpoint
  std::vector<std::string> done_findings_;  // that the store still remembers, and shall forget
  std::vector<std::string> kept_findings_;  // and those that it shall know to be counted
  int64_t last_tick_ = 0;
  bool walk_done_ = false;
  uint64_t files_found_ = 0;
  uint64_t bytes_found_ = 0;
  uint64_t files_expected_ = 0;
};

}  // namespace cordon::agent
