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
#include "cordon/v1/baseline.pb.h"

namespace cordon::agent {

FileRecord ToRecord(std::string_view folder, v1::BaselineEntry entry);
// As LooksUntouched of a record (file_record.h).
bool LooksUntouched(const v1::BaselineEntry& before, const platform::FileMetadata& after);

// The recorded state of files, on disk (scan_database.h): a row for each folder. A new baseline is collected
// beside the old one and takes its place in one transaction: a job that is cancelled or killed leaves the old
// one whole. A row that cannot be parsed is DATA_LOSS. Not thread-safe.
class Baseline {
 public:
  // `database` must outlive it.
  explicit Baseline(Database& database) : database_(database) {}

  // `path` lies at or below a root that has a baseline.
  absl::StatusOr<bool> Covers(const std::string& path);

  // --- making: Add …, Replace; JobStore::Begin clears what was added by another job ---
  // All entries of `folder`, and when it is a root, the root's own record among them. In the place of what
  // was added of it before.
  absl::Status Add(const std::string& folder, std::vector<FileRecord> records);
  absl::Status FlushFresh();  // what was added is on disk
  // What was added becomes the baseline of `roots`; what is recorded elsewhere stays.
  absl::Status Replace(const std::vector<std::string>& roots, int64_t time_unix_nanos);

  // --- checking ---
  absl::StatusOr<std::optional<FileRecord>> Find(const std::string& path);
  // What is recorded of the entries of a folder, by their names, in place of what `entries` had; empty:
  // nothing.
  absl::Status Children(const std::string& folder, v1::BaselineFolder* entries);
  // All that is recorded below `folder`, in the order of their folders. `visit` may write to the database,
  // and so may others in between. `keep_going` is asked now and then: the rest is left out when it says no.
  absl::Status ForEachBelow(
      const std::string& folder, const std::function<absl::Status(FileRecord)>& visit,
      const std::function<bool()>& keep_going = [] { return true; });
  absl::StatusOr<uint64_t> CountBelow(const std::string& root);
  // Over all that is recorded at and below the roots, times and inode numbers with it: who can change those
  // in the baseline could have a changed file passed over. Empty: nothing is recorded. CANCELLED when
  // `keep_going` says no.
  absl::StatusOr<std::string> Hash(
      const std::vector<std::string>& roots, const std::function<bool()>& keep_going = [] { return true; });

 private:
  struct Row {
    std::string folder;
    std::string entries;  // a serialized v1::BaselineFolder
    uint64_t files = 0;   // regular ones among them
    absl::Status Put(Statement& put) const;
  };
  static Row MakeRow(std::string folder, const v1::BaselineFolder& entries);
  // The first row of these keys.
  absl::StatusOr<std::optional<Row>> FirstRow(const std::string& from, const std::string& before);
  // Steps the statement to the first row of these keys; its caller resets it.
  absl::StatusOr<bool> FindFirstRow(const std::string& from, const std::string& before);
  // False: there is no such row.
  absl::StatusOr<bool> Entries(const std::string& folder, v1::BaselineFolder* entries);
  absl::StatusOr<bool> HasRowsOutside(const std::vector<std::string>& roots);
  absl::Status TakeRoot(const std::string& root, int64_t time_unix_nanos);
  absl::Status MoveFresh();
  absl::Status PatchParent(const std::string& root, const v1::BaselineEntry& record);

  Database& database_;
  std::optional<Statement> first_row_;
  v1::BaselineFolder adding_;  // its memory is used again for the next folder
  std::vector<Row> fresh_;
  std::vector<FileRecord> fresh_roots_;  // their own records
  uint64_t fresh_bytes_ = 0;             // of entries in fresh_
};

}  // namespace cordon::agent
