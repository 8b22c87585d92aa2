#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/sqlite/database.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

struct ScanRoot {
  enum class Baseline : uint8_t { kNone = 0, kCreate = 1, kCheck = 2 };
  std::string path = {};
  Baseline baseline = Baseline::kNone;
};

// A job as it goes on after a pause, a crash or a reboot.
struct SavedJob {
  std::string order_id = {};
  v1::ScanSpec spec = {};
  std::vector<ScanRoot> roots = {};  // in the order of the walk, none below another
  // Of what was recorded of the roots when the job began; nothing: not looked at yet, empty: nothing was.
  std::optional<std::string> baseline_before_sha256 = {};
  bool paused = false;
  bool cancelled = false;  // it is only to be told, and forgotten
  // All folders up to this one in the order of the walk are done, and the running programs; empty text: only
  // those; nothing: not even those.
  std::optional<std::string> cursor = {};
  v1::ScanProgress progress = {};  // of what is done up to the cursor
};

// The one job that is under way, on disk (scan_database.h). Not thread-safe; several may use the same file.
class JobStore {
 public:
  // `database` must outlive it.
  explicit JobStore(Database& database) : database_(database) {}

  absl::Status Begin(const SavedJob& job);
  absl::StatusOr<std::optional<SavedJob>> Load();
  absl::Status SetPaused(bool paused);
  absl::Status SetCancelled();
  absl::Status SetBaselineBefore(const std::string& sha256);
  absl::Status End();

  enum class Told : uint8_t {
    kNo,       // and from now on it is Perhaps
    kPerhaps,  // a crash came when it was being told
    kYes,
    kCounted,  // before the cursor, so that it counts already
  };
  // To be asked before a finding is told that lies beyond the cursor, or is of what is gone. `finding`: its
  // digest.
  absl::StatusOr<Told> Remember(const std::string& finding);

  struct Step {
    std::optional<std::string> cursor;
    const v1::ScanProgress& progress;   // of what is done up to it
    std::span<const std::string> told;  // findings that have reached the spool since the last step
    std::span<const std::string> done;  // findings before the cursor, which are not asked for again,
    std::span<const std::string> kept;  // and those that may be
  };
  absl::Status Advance(const Step& step);

 private:
  absl::StatusOr<std::vector<ScanRoot>> LoadRoots();
  Database& database_;
};

}  // namespace cordon::agent
