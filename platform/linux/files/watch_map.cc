#include "platform/linux/files/watch_map.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/file_tree.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxLimitations = 100;
constexpr size_t kCachedFolders = 8192;  // about 2 MB

bool Exists(const fs::path& path) {
  return ReadFileMetadata(path).ok();
}

bool IsFolder(const fs::path& path) {
  const auto metadata = ReadFileMetadata(path);
  return metadata.ok() && metadata->type == FileType::kDirectory;
}

// Beginning and end: a path may have 4096 bytes, and the reason stands behind it.
std::string Shortened(std::string text) {
  constexpr size_t kHead = 300;
  constexpr size_t kTail = 150;
  if (text.size() <= kHead + kTail) return text;
  const auto within_letter = [&](size_t at) { return (static_cast<uint8_t>(text[at]) & 0xc0U) == 0x80U; };
  size_t head = kHead;
  size_t tail = text.size() - kTail;
  while (head > 0 && within_letter(head)) --head;
  while (tail < text.size() && within_letter(tail)) ++tail;
  return StrCat(std::string_view(text).substr(0, head), " ... ", std::string_view(text).substr(tail));
}

fs::path NearestExistingFolder(fs::path path) {
  while (path.has_relative_path() && !IsFolder(path)) path = path.parent_path();
  return path;
}

}  // namespace

WatchMap::WatchMap(const FanotifyGroup& group, const WatchScope& scope, bool folder_marks_only)
    : group_(group), scope_(scope), folder_marks_only_(folder_marks_only), cache_(scope, kCachedFolders) {}

void WatchMap::Note(std::string text, Texts* texts) {
  text = Shortened(std::move(text));
  if (texts->size() < kMaxLimitations && std::ranges::find(*texts, text) == texts->end()) {
    texts->push_back(std::move(text));
  }
}

std::vector<std::string> WatchMap::Limitations() const {
  std::vector<std::string> all = mount_limitations_;
  all.insert(all.end(), limitations_.begin(), limitations_.end());
  return all;
}

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
    Note(StrCat(Printable(root.string()), " is watched folder by folder: ", Message(status)),
         &mount_limitations_);
  }
  folder_marks_ = true;
  if (folder != root) return CoverPathToRoots(folder, {});
  CORDON_ASSIGN_OR_RETURN(std::string key, KeyOfFolder(root));
  std::string& covered = covered_trees_[root.string()];
  if (covered == key) return absl::OkStatus();  // its marks stand
  CORDON_RETURN_IF_ERROR(CoverTree(folder, {}));
  covered = std::move(key);
  return absl::OkStatus();
}

absl::Status WatchMap::CoverFilesystem(const fs::path& folder) {
  CORDON_RETURN_IF_ERROR(group_.MarkFilesystem(folder));
  CORDON_ASSIGN_OR_RETURN(std::string fsid, FsidOf(folder));
  // A file system without an id, or whose handles cannot be opened, would give events that name nothing.
  absl::StatusOr<std::string> key = KeyOfFolder(folder);
  if (!key.ok() || !PathOfFolder(*key, folder).ok()) {
    return absl::UnimplementedError(
        StrCat("the file system of ", Printable(folder.string()), " has no file handles to open"));
  }
  mounts_.push_back({.fsid = std::move(fsid), .path = folder});
  return absl::OkStatus();
}

// What is mounted at a path that is known may be another file system than before, without a mark; a second
// mark on the same one changes nothing.
void WatchMap::CoverMounts() {
  mounts_.clear();
  mount_limitations_.clear();
  for (const std::string& root : scope_.Roots()) {
    const absl::Status status = Cover(root);
    if (!status.ok()) {
      Note(StrCat(Printable(root), " is not watched: ", Message(status)), &mount_limitations_);
    }
    CoverMountsBelow(root);
  }
}

void WatchMap::CoverMountsBelow(const std::string& root) {
  for (const fs::path& mount : MountsBelow(root)) {
    if (!scope_.Contains(mount.string())) continue;
    const auto filesystem = ReadFilesystem(mount);
    if (!filesystem.ok() || filesystem->kind == FilesystemKind::kKernel) continue;
    const absl::Status status =
        filesystem->kind == FilesystemKind::kNetwork
            ? absl::UnimplementedError(StrCat("a network file system (", filesystem->name, ")"))
            : Cover(mount);
    if (!status.ok()) {
      Note(StrCat(Printable(mount.string()), " is not watched: ", Message(status)), &mount_limitations_);
    }
  }
}

// Whoever can make folders below can make some that cannot be watched: with too long a path, or too many.
absl::Status WatchMap::CoverTree(const fs::path& folder, const OnFound& found) {
  std::vector<fs::path> rest;
  CORDON_RETURN_IF_ERROR(CoverFolder(folder, found, &rest));
  while (!rest.empty()) {
    const fs::path next = std::move(rest.back());
    rest.pop_back();
    const absl::Status status = CoverFolder(next, found, &rest);
    if (status.ok()) continue;
    Note(std::string(Message(status)), &limitations_);
    if (absl::IsResourceExhausted(status)) return absl::OkStatus();  // no other one can be marked either
  }
  return absl::OkStatus();
}

// Marks first and reads afterwards: what comes between is told twice rather than never.
absl::Status WatchMap::CoverFolder(const fs::path& folder, const OnFound& found,
                                   std::vector<fs::path>* below) {
  const auto gone = [](const absl::Status& status) {  // or another thing by now
    return absl::IsNotFound(status) || absl::IsFailedPrecondition(status);
  };
  absl::Status status = group_.MarkFolder(folder);
  if (!status.ok()) return gone(status) ? absl::OkStatus() : status;
  absl::StatusOr<std::string> key = KeyOfFolder(folder);
  if (!key.ok()) return absl::IsNotFound(key.status()) ? absl::OkStatus() : key.status();
  cache_.Put(*key, folder.string(), /*pinned=*/true);
  status = ReadFolder(folder, [&](const FolderEntry& entry) {
    const bool is_folder = entry.metadata.type == FileType::kDirectory;
    const fs::path path = folder / entry.name;
    const bool inside = scope_.Contains(path.string());
    if (found && inside) found(path, is_folder);
    if (is_folder && (inside || scope_.LeadsToRoot(path.string()))) below->push_back(path);
    return true;
  });
  return gone(status) ? absl::OkStatus() : status;
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
  if (!status.ok() && !gone) Note(std::string(Message(status)), &limitations_);
}

void WatchMap::FolderRenamed(HandleKey key, const std::string& from, const std::string& to) {
  if (!from.empty() && !to.empty()) cache_.Rename(from, to);
  // Moved in from where no marks are: what is below it is not new, but must be watched from now on.
  if (!to.empty()) FolderCreated(key, to, {});
}

}  // namespace cordon::platform
