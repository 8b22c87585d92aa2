#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/event/process_directory.h"
#include "agent/scan/baseline.h"
#include "agent/scan/content_pool.h"
#include "agent/scan/indicators.h"
#include "agent/scan/job_store.h"
#include "agent/scan/known_entries.h"
#include "agent/scan/manners.h"
#include "agent/scan/records_ahead.h"
#include "agent/scan/scan_ledger.h"

namespace cordon::agent {

enum class StopReason : uint8_t { kNone, kPause, kCancel, kAgentStops };

// One walk over the roots for all that is asked. Lives and runs on one thread; reading is done by a pool.
class ScanJob {
 public:
  struct Parts {
    Baseline& baseline;
    ScanLedger::Parts ledger;
    const ProcessDirectory* processes = nullptr;  // who a running process is; may be null
    std::vector<std::string> excluded;            // prefixes that are not entered
    // One for each reading thread; empty pointers when there are no rules.
    std::vector<std::unique_ptr<RuleScanner>> scanners;
    std::unique_ptr<platform::LoadMeter> meter;  // null: at full speed, whatever others need
    // Another connection to the baseline's database, to read it beside the walk; may be null.
    std::function<absl::StatusOr<Database>()> open_reader = {};
    // For a job that does not know yet what was recorded when it began (SavedJob): asked once, when the walk
    // is whole, before a baseline changes. It may take a moment, and is CANCELLED by a stop.
    std::function<absl::StatusOr<std::string>()> learn_baseline_before = {};
  };
  // References must outlive the job. `stop` may be set by any thread, and is obeyed within a second.
  ScanJob(SavedJob job, Parts parts, const std::atomic<StopReason>& stop);

  // The last progress message, which on_progress has not been given. DONE, CANCELLED and FAILED are final.
  // After a stop for another reason it is RUNNING, and the store has all that another ScanJob needs to go on.
  v1::ScanProgress Run();

 private:
  static constexpr std::chrono::milliseconds kWait{200};  // for results, before a stop is looked for

  bool Stopped() const { return stop_ != StopReason::kNone; }
  bool KeepGoing();
  absl::Status WalkAll();
  absl::Status ReadRunningPrograms();
  absl::Status WalkRoot(const ScanRoot& root);
  void ReadAhead(const std::string& root);
  absl::Status WalkFolder(const FolderPtr& folder);
  absl::Status TellGone(const FolderPtr& folder);
  void PushGone(FileRecord record);
  void PushGoneBelow(const Folder& folder);
  void PassEntry(const std::string& path, const platform::FileMetadata& metadata, const FolderPtr& folder);
  absl::Status VisitEntry(platform::FolderEntry entry, const FolderPtr& folder,
                          const v1::BaselineEntry* recorded);
  absl::Status VisitUntouched(const std::string& path, const platform::FileMetadata& metadata,
                              const FolderPtr& folder);
  absl::Status MatchPath(const std::string& path, const platform::FileMetadata& metadata, Folder& folder);
  void PassUnread(uint64_t bytes, Folder& folder);
  absl::Status Visit(const std::string& path, platform::FileMetadata metadata,
                     std::optional<FileRecord> before, const FolderPtr& folder);
  absl::Status VisitFile(const std::string& path, platform::FileMetadata metadata,
                         std::optional<FileRecord> before, const FolderPtr& folder);
  void Descend(const std::string& path, const platform::FileMetadata& metadata, const FolderPtr& parent);
  bool IsDone(const std::string& folder) const;
  bool HoldsWork(const std::string& folder) const;
  absl::Status Submit(ContentPool::Job job);
  absl::Status TakeResults(std::chrono::milliseconds wait);
  absl::Status TakeResult(ContentPool::Result& result);
  absl::Status TakeContent(const ContentPool::Job& job, ContentPool::Content& content);  // moves its file
  bool IsInMemory(const FileRecord& file);
  absl::Status TakeFailure(const ContentPool::Job& job, const absl::Status& status);
  absl::Status TellIndicator(const FileRecord& file, const IndicatorMatch& match,
                             const ContentPool::Job& job);
  absl::Status Settle(FileRecord after, const std::optional<FileRecord>& before, Folder& folder);
  absl::Status TellRemoved(const FileRecord& before, Folder& folder);
  absl::Status TellRemovedBelow(const std::string& path, Folder& folder);
  absl::Status RecordIfDone(Folder& folder);
  absl::Status LearnBaselineBefore();
  absl::Status Finish();
  v1::ScanProgress End(const absl::Status& status, bool whole);
  bool IsExcluded(const std::string& path) const;

  const SavedJob job_;
  const Indicators indicators_;
  const std::vector<std::string> excluded_;
  Baseline& baseline_;
  const ProcessDirectory* const processes_;
  const Clock& clock_;
  const std::atomic<StopReason>& stop_;
  ScanLedger ledger_;
  const std::unique_ptr<Manners> manners_;  // null: none
  const std::function<absl::StatusOr<Database>()> open_reader_;
  const std::function<absl::StatusOr<std::string>()> learn_baseline_before_;
  std::optional<std::string> baseline_before_;  // as in SavedJob
  std::unique_ptr<RecordsAhead> ahead_;         // of the root that is walked now; may be null
  KnownEntries known_;                          // of the folder that is walked now
  ContentPool pool_;
  std::vector<ContentPool::Result> results_;  // that are looked at now; their memory is used again

  ScanRoot::Baseline mode_ = ScanRoot::Baseline::kNone;  // of the root that is walked now
  std::vector<FolderPtr> folders_;                       // to be walked, the next one last
  uint64_t bytes_unread_ = 0;                            // of files that look untouched
  std::unordered_map<uint64_t, bool> in_memory_;         // by device, of files that were recorded
};

}  // namespace cordon::agent
