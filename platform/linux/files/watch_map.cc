#include "platform/linux/files/watch_map.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/file_tree.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCachedFolders = 8192;  // about 2 MB

bool Exists(const fs::path& path) {
  return ReadFileMetadata(path).ok();
}

bool IsFolder(const fs::path& path) {
  const auto metadata = ReadFileMetadata(path);
  return metadata.ok() && metadata->type == FileType::kDirectory;
}

fs::path NearestExistingFolder(fs::path path) {
  while (path.has_relative_path() && !IsFolder(path)) path = path.parent_path();
  return path;
}

}  // namespace

WatchMap::WatchMap(const FanotifyGroup& group, const WatchScope& scope, bool folder_marks_only)
    : group_(group), scope_(scope), folder_marks_only_(folder_marks_only), cache_(scope, kCachedFolders) {}

absl::Status WatchMap::CoverRoots() {
  for (const std::string& root : scope_.Roots()) {
    CORDON_RETURN_IF_ERROR(Annotate(Cover(root), StrCat("watched path ", Printable(root))));
  }
  CoverMounts();
  return absl::OkStatus();
}

absl::Status WatchMap::Cover(const fs::path& root) {
  const fs::path folder = NearestExistingFolder(root);
  if (!folder_marks_only_) {
    const absl::Status status = CoverFilesystem(folder);
    if (!absl::IsUnimplemented(status)) return status;
    limitations_.push_back(
        StrCat(Printable(root.string()), " is watched folder by folder: ", Message(status)));
  }
  folder_marks_ = true;
  return folder == root ? CoverTree(folder, {}) : CoverPathToRoots(folder, {});
}

absl::Status WatchMap::CoverFilesystem(const fs::path& folder) {
  CORDON_RETURN_IF_ERROR(group_.MarkFilesystem(folder));
  CORDON_ASSIGN_OR_RETURN(std::string fsid, FsidOf(folder));
  // A file system without an id, or whose handles cannot be opened, would give events that name nothing.
  absl::StatusOr<std::string> key = KeyOfFolder(folder);
  if (!key.ok() || !PathOfFolder(*key, folder).ok()) {
    return absl::UnimplementedError(
        StrCat("the file system of ", folder.string(), " has no file handles to open"));
  }
  mounts_.push_back({.fsid = std::move(fsid), .path = folder});
  return absl::OkStatus();
}

void WatchMap::CoverMounts() {
  for (const std::string& root : scope_.Roots()) {
    for (const fs::path& mount : MountsBelow(root)) {
      const auto known = [&](const Mount& other) { return other.path == mount; };
      if (!scope_.Contains(mount.string()) || std::ranges::any_of(mounts_, known)) continue;
      const auto filesystem = ReadFilesystem(mount);
      if (!filesystem.ok() || filesystem->kind == FilesystemKind::kKernel) continue;
      absl::Status status =
          filesystem->kind == FilesystemKind::kNetwork
              ? absl::UnimplementedError(StrCat("a network file system (", filesystem->name, ")"))
              : Cover(mount);
      if (!status.ok()) {
        limitations_.push_back(StrCat(Printable(mount.string()), " is not watched: ", Message(status)));
      }
    }
  }
}

// Marks first and reads afterwards: what comes between is told twice rather than never.
absl::Status WatchMap::CoverTree(const fs::path& folder, const OnFound& found) {
  std::vector<fs::path> rest = {folder};
  while (!rest.empty()) {
    const fs::path next = std::move(rest.back());
    rest.pop_back();
    absl::Status status = group_.MarkFolder(next);
    if (absl::IsNotFound(status) || absl::IsFailedPrecondition(status))
      continue;  // gone, or another thing by now
    CORDON_RETURN_IF_ERROR(status);
    absl::StatusOr<std::string> key = KeyOfFolder(next);
    if (absl::IsNotFound(key.status())) continue;
    CORDON_RETURN_IF_ERROR(key.status());
    cache_.Put(*key, next.string(), /*pinned=*/true);
    const absl::Status read = ReadFolder(next, [&](const FolderEntry& entry) {
      const bool is_folder = entry.metadata.type == FileType::kDirectory;
      const fs::path path = next / entry.name;
      if (found && scope_.Contains(path.string())) found(path, is_folder);
      if (is_folder && (scope_.Contains(path.string()) || scope_.LeadsToRoot(path.string())))
        rest.push_back(path);
      return true;
    });
    if (!read.ok() && !absl::IsNotFound(read) && !absl::IsFailedPrecondition(read)) return read;
  }
  return absl::OkStatus();
}

// Marks `folder`, which lies above roots, and goes down to where they are or will be.
absl::Status WatchMap::CoverPathToRoots(const fs::path& folder, const OnFound& found) {
  CORDON_RETURN_IF_ERROR(group_.MarkFolder(folder));
  CORDON_ASSIGN_OR_RETURN(const std::string key, KeyOfFolder(folder));
  cache_.Put(key, folder.string(), /*pinned=*/true);
  for (const std::string& root : scope_.Roots()) {
    if (root == folder.string() || !IsAtOrBelow(root, folder.string())) continue;
    const fs::path next = folder / *fs::path(root).lexically_relative(folder).begin();
    if (!Exists(next)) continue;
    const bool inside = scope_.Contains(next.string());
    if (found && inside) found(next, IsFolder(next));
    if (!IsFolder(next)) continue;
    CORDON_RETURN_IF_ERROR(inside ? CoverTree(next, found) : CoverPathToRoots(next, found));
  }
  return absl::OkStatus();
}

bool WatchMap::IsOnMarkedFilesystem(HandleKey key) const {
  return std::ranges::any_of(mounts_, [&](const Mount& mount) { return key.starts_with(mount.fsid); });
}

const FolderCache::Folder* WatchMap::FolderOf(HandleKey key) {
  if (const FolderCache::Folder* known = cache_.Find(key)) return known;
  // One file system may be mounted in several places: the one that shows the folder below a root counts.
  std::optional<std::string> path;
  for (const Mount& mount : mounts_) {
    if (!key.starts_with(mount.fsid)) continue;
    absl::StatusOr<std::string> seen = PathOfFolder(key, mount.path);
    if (!seen.ok()) continue;
    const bool inside = scope_.Contains(*seen);
    if (inside || !path.has_value()) path = *std::move(seen);
    if (inside) break;
  }
  return path.has_value() ? cache_.Put(key, *std::move(path), /*pinned=*/false) : nullptr;
}

void WatchMap::FolderCreated(HandleKey key, const std::string& path, const OnFound& found) {
  if (IsOnMarkedFilesystem(key)) {
    cache_.Put(key, path, /*pinned=*/false);
    return;
  }
  absl::Status status;
  if (scope_.Contains(path)) {
    status = CoverTree(path, found);
  } else if (scope_.LeadsToRoot(path)) {
    status = CoverPathToRoots(path, found);
  }
  const bool gone = absl::IsNotFound(status) || absl::IsFailedPrecondition(status);
  if (!status.ok() && !gone && limitations_.size() < 100) limitations_.emplace_back(Message(status));
}

void WatchMap::FolderRenamed(HandleKey key, const std::string& from, const std::string& to) {
  if (!from.empty() && !to.empty()) cache_.Rename(from, to);
  // Moved in from where no marks are: what is below it is not new, but must be watched from now on.
  if (!to.empty()) FolderCreated(key, to, {});
}

}  // namespace cordon::platform
