#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/api/mount_table.h"
#include "platform/linux/files/fanotify_group.h"
#include "platform/linux/files/folder_cache.h"
#include "platform/linux/files/watch_scope.h"

namespace cordon::platform {

// Puts marks where the roots are, and tells which folder a handle means. Not thread-safe.
//
// Where a file system can be marked whole, one mark covers all of its folders, also those that come later.
// Elsewhere every folder gets a mark of its own; a new folder is marked when its creation is seen and then
// read once, so that what came into it before the mark is told as well.
//
// Network file systems are left out by the table of mounts, before any call on them: one whose server is gone
// does not answer.
class WatchMap {
 public:
  // Told of a path that was found in a new folder before its mark stood.
  using OnFound = std::function<void(const std::filesystem::path& path, bool is_folder)>;

  // All must outlive the map.
  WatchMap(const FanotifyGroup& group, const WatchScope& scope, bool folder_marks_only);

  // Marks every root, and the file systems mounted below them. An error names the root; a folder below one
  // that cannot be marked is a limitation.
  absl::Status CoverRoots();
  // After the table of mounts changed: what is mounted at or below a root now is marked.
  void CoverMounts();

  // nullptr when it is gone. One whose path is empty is there, and deeper than a path can say.
  const FolderCache::Folder* FolderOf(HandleKey key);
  // A new folder is at `path`; `key` is empty when the kernel does not tell.
  void FolderCreated(HandleKey key, const std::string& path, const OnFound& found);
  void FolderDeleted(HandleKey key) { cache_.Unpin(key); }
  // Where a folder was that is gone already; empty: deeper than a path can say.
  const FolderCache::Folder* RememberDeleted(HandleKey key, std::string path);
  // A folder moved: from or to may be empty (not told). What is below it keeps its marks.
  void FolderRenamed(HandleKey key, const std::string& from, const std::string& to);

  bool UsesFolderMarks() const { return folder_marks_; }
  bool UsesFilesystemMarks() const { return !mounts_.empty(); }
  std::vector<std::string> Limitations() const;
  // Whether what these three tell may be another thing than when it was asked last.
  bool TakeNews() { return std::exchange(news_, false); }
  // Folders that came since it was asked last and cannot be watched, or not all that is below them: what
  // happens there is lost. Not those that are too deep for a path, which anybody can make without end.
  std::vector<std::string> TakeUnwatched() { return std::exchange(unwatched_, {}); }

 private:
  struct Mount {
    std::string fsid;
    std::filesystem::path path;  // of a folder on it
  };

  using Texts = std::vector<std::string>;
  void Note(std::string text, Texts* texts);
  bool NoteUnwatched(const std::filesystem::path& folder, const absl::Status& status);
  void NoteTooDeep();

  absl::Status CoverIfItAnswers(const std::filesystem::path& root);
  absl::Status Cover(const std::filesystem::path& root);
  void CoverMountsBelow(const std::string& root);
  absl::Status CoverFilesystem(const std::filesystem::path& folder);
  absl::Status CoverTree(const std::filesystem::path& folder, HandleKey expected, const OnFound& found);
  absl::StatusOr<Fd> MarkAndRemember(const std::filesystem::path& folder, HandleKey expected);
  absl::Status CoverFolder(const std::filesystem::path& folder, HandleKey expected, const OnFound& found,
                           std::vector<std::filesystem::path>* below);
  absl::Status CoverPathToRoots(const std::filesystem::path& folder, HandleKey expected,
                                const OnFound& found);
  bool IsOnMarkedFilesystem(HandleKey key) const;

  const FanotifyGroup& group_;
  const WatchScope& scope_;
  const bool folder_marks_only_;
  bool folder_marks_ = false;
  FolderCache cache_;
  MountTable mounted_;
  std::vector<Mount> mounts_;
  std::map<std::string, std::string> covered_trees_;  // by folder marks: path -> key of the folder there
  Texts limitations_;                                 // of folders
  Texts mount_limitations_;                           // as the mounts are now
  Texts unwatched_;
  bool too_deep_noted_ = false;
  bool news_ = false;
};

}  // namespace cordon::platform
