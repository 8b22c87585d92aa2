#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/scan/baseline.h"
#include "agent/scan/hash_pool.h"
#include "common/base/clock.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

struct ScanRoot {
  std::string path;
  bool create = false;  // make its baseline; else check against it
};

struct ScanJobSpec {
  std::string order_id;
  std::vector<ScanRoot> roots;  // none below another
  std::vector<std::string> excluded;
  bool full_speed = false;
  bool full_reread = false;
};

// One walk over the roots. Lives and runs on one thread; reading is done by a pool.
class ScanJob {
 public:
  // References must outlive the job. `cancelled` may be set by any thread.
  ScanJob(ScanJobSpec spec, Baseline& baseline, const Clock& clock, EventSink& sink,
          const std::atomic<bool>& cancelled, std::function<void(const v1::ScanProgress&)> on_progress);

  // The last progress message; on_progress has not been given it.
  v1::ScanProgress Run();

 private:
  // A folder on the way from a root down to where the walk is.
  struct Place {
    std::string path;
    uint64_t device = 0;
    uint64_t inode = 0;
    std::shared_ptr<const Place> parent;
  };
  using PlacePtr = std::shared_ptr<const Place>;

  absl::Status WalkAll();
  absl::Status WalkRoot(const ScanRoot& root);
  absl::Status WalkFolder(const PlacePtr& folder);
  absl::Status Visit(const std::string& path, platform::FileMetadata metadata,
                     std::optional<FileRecord> before, const PlacePtr& parent);
  void Descend(const std::string& path, const platform::FileMetadata& metadata, const PlacePtr& parent);
  absl::Status Submit(HashPool::Job job);
  absl::Status TakeResults(std::chrono::milliseconds wait);
  absl::Status TakeResult(HashPool::Result result);
  absl::Status Settle(FileRecord after, const std::optional<FileRecord>& before);
  absl::Status TellRemoved(const FileRecord& before);
  absl::Status Finish();
  void Tell(v1::Finding finding);
  void NotScanned(const std::string& path, std::string_view reason);
  bool IsExcluded(const std::string& path) const;
  void Tick();
  void Estimate();

  const ScanJobSpec spec_;
  Baseline& baseline_;
  const Clock& clock_;
  EventSink& sink_;
  const std::atomic<bool>& cancelled_;
  const std::function<void(const v1::ScanProgress&)> on_progress_;
  HashPool pool_;

  bool creating_ = false;  // the root that is walked now
  std::vector<PlacePtr> folders_;
  v1::ScanProgress progress_;
  int64_t began_ = 0;
  int64_t last_tick_ = 0;
  bool walk_done_ = false;
  uint64_t files_found_ = 0;
  uint64_t bytes_found_ = 0;
  uint64_t bytes_unread_ = 0;    // of files that look untouched
  uint64_t files_expected_ = 0;  // by the baseline
};

}  // namespace cordon::agent
