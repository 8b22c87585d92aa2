#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/scan/file_record.h"
#include "common/sqlite/database.h"

namespace cordon::agent {

// The recorded state of files, on disk (scan_database.h). A new baseline is collected beside the old one and
// takes its place in one transaction: a job that is cancelled or killed leaves the old one whole. Not
// thread-safe.
class Baseline {
 public:
  // `database` must outlive it.
  explicit Baseline(Database& database) : database_(database) {}

  // `path` lies at or below a root that has a baseline.
  absl::StatusOr<bool> Covers(const std::string& path);

  // --- making: Add …, Replace; JobStore::Begin clears what was added by another job ---
  absl::Status Add(const FileRecord& record);
  absl::Status FlushFresh();  // what was added is on disk
  // What was added becomes the baseline of `roots`; what is recorded elsewhere stays.
  absl::Status Replace(const std::vector<std::string>& roots, int64_t time_unix_nanos);

  // --- checking ---
  absl::StatusOr<std::optional<FileRecord>> Find(const std::string& path);
  // The entries of a folder.
  absl::StatusOr<std::vector<FileRecord>> Children(const std::string& folder);
  // All that is recorded below `folder`, in the order of their folders. `visit` may write to the database,
  // and so may others in between. `keep_going` is asked now and then: the rest is left out when it says no.
  absl::Status ForEachBelow(
      const std::string& folder, const std::function<absl::Status(FileRecord)>& visit,
      const std::function<bool()>& keep_going = [] { return true; });
  absl::StatusOr<uint64_t> CountBelow(const std::string& root);
  // Over all that is recorded at and below the roots: equal baselines, equal hashes. Empty: nothing is.
  // CANCELLED when `keep_going` says no.
  absl::StatusOr<std::string> Hash(
      const std::vector<std::string>& roots, const std::function<bool()>& keep_going = [] { return true; });

 private:
  // The next records behind this key, of folders before `end`.
  absl::StatusOr<std::vector<FileRecord>> PageBehind(const std::string& folder, const std::string& name,
                                                     const std::string& end);
  Database& database_;
  std::optional<Statement> children_;
  std::vector<FileRecord> fresh_;
};

}  // namespace cordon::agent
