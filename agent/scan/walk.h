#pragma once

// The order in which a scan walks folders, and what is done of it: the base of its cursor. Pure.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/scan/file_record.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// A folder comes before what is in it, and siblings by the bytes of their names. "" comes before all.
bool WalksBefore(std::string_view a, std::string_view b);

// A folder that the walk has come to.
struct Folder {
  std::string path = {};
  uint64_t device = 0;
  uint64_t inode = 0;
  std::shared_ptr<const Folder> parent = {};
  // What is recorded of it, when it went while the job rested: all there is to do for it is to tell that.
  std::optional<FileRecord> gone = {};

  bool begun = false;                  // stands in the frontier
  bool listed = false;                 // all its entries were seen
  size_t unread = 0;                   // files of it that are still to be read
  v1::ScanProgress done = {};          // counts of its own entries: files, findings, what was not scanned
  std::vector<std::string> told = {};  // digests of its findings, but for:
  std::vector<std::string> told_removed = {};
  std::vector<FileRecord> recorded =
      {};  // for a new baseline; given to it when nothing of the folder is open
};
using FolderPtr = std::shared_ptr<Folder>;

// The folders that were begun, in the order of the walk.
class Frontier {
 public:
  void Begin(const FolderPtr& folder) {
    if (!std::exchange(folder->begun, true)) begun_.push_back(folder);
  }
  // The first ones of which nothing is open any more.
  std::vector<FolderPtr> TakeDone();

 private:
  std::deque<FolderPtr> begun_;
};

// Adds up counts and lists. The list of what was not scanned is bounded (AUT-6), its count is not.
void AddTo(const v1::ScanProgress& part, v1::ScanProgress* whole);
void AddNotScanned(const std::string& path, std::string_view reason, v1::ScanProgress* progress);

}  // namespace cordon::agent
