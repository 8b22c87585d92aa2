#include "platform/linux/files/watch_map.h"

#include <dirent.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/file_tree.h"
#include "platform/linux/files/open_folder.h"

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
    news_ = true;
  }
}

// False when it is too deep for a path, which is said once.
bool WatchMap::NoteUnwatched(const fs::path& folder, const absl::Status& status) {
  const bool too_deep = folder.native().size() >= FolderCache::kMaxPathBytes;
  if (!too_deep || !std::exchange(too_deep_noted_, true)) Note(std::string(Message(status)), &limitations_);
  return !too_deep;
}

void WatchMap::NoteTooDeep() {
  if (std::exchange(too_deep_noted_, true)) return;
  Note(StrCat("folders deeper than ", FolderCache::kMaxPathBytes, " bytes of path are not watched"),
       &limitations_);
}

std::vector<std::string> WatchMap::Limitations() const {
  std::vector<std::string> all = mount_limitations_;
  all.insert(all.end(), limitations_.begin(), limitations_.end());
  return all;
}

absl::Status WatchMap::CoverRoots() {
  mounted_ = MountTable::Now();
  for (const std::string& root : scope_.Roots()) {
    if (mounted_.MayNotAnswer(root)) continue;  // CoverMounts names it, and those without a file system's id
    const absl::Status status = Annotate(Cover(root), StrCat("watched path ", Printable(root)));
    if (!status.ok() && !absl::IsNotFound(status) && !absl::IsUnavailable(status)) return status;
  }
  CoverMounts();
  unwatched_.clear();  // of the start: limitations
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
  if (folder != root) return CoverPathToRoots(folder, {}, {});
  CORDON_ASSIGN_OR_RETURN(const Fd opened, OpenFolder(root));
  CORDON_ASSIGN_OR_RETURN(std::string key, KeyOfFolder(opened, root));
  std::string& covered = covered_trees_[root.string()];
  if (covered == key) return absl::OkStatus();  // its marks stand
  CORDON_RETURN_IF_ERROR(CoverTree(folder, {}, {}));
  covered = std::move(key);
  return absl::OkStatus();
}

absl::Status WatchMap::CoverFilesystem(const fs::path& folder) {
  CORDON_ASSIGN_OR_RETURN(const Fd opened, OpenFolder(folder));
  CORDON_RETURN_IF_ERROR(group_.MarkFilesystem(opened, folder));
  // A file system without an id, or whose handles cannot be opened, would give events that name nothing.
  const absl::StatusOr<std::string> key = KeyOfFolder(opened, folder);
  if (!key.ok() || !PathOfFolder(*key, folder).ok()) {
    return absl::UnimplementedError(
        StrCat("the file system of ", Printable(folder.string()), " has no file handles to open"));
  }
  mounts_.push_back({.fsid = key->substr(0, kFsidBytes), .path = folder});
  return absl::OkStatus();
}

// What is mounted at a path that is known may be another file system than before, without a mark; a second
// mark on the same one changes nothing.
void WatchMap::CoverMounts() {
  mounted_ = MountTable::Now();
  mounts_.clear();
  mount_limitations_.clear();
  news_ = true;
  for (const std::string& root : scope_.Roots()) {
    const absl::Status status = CoverIfItAnswers(root);
    if (!status.ok()) {
      Note(StrCat(Printable(root), " is not watched: ", Message(status)), &mount_limitations_);
    }
    CoverMountsBelow(root);
  }
}

absl::Status WatchMap::CoverIfItAnswers(const fs::path& root) {
  if (!mounted_.MayNotAnswer(root)) return Cover(root);
  return absl::UnimplementedError(StrCat("a network file system (", mounted_.At(root).name, ")"));
}

void WatchMap::CoverMountsBelow(const std::string& root) {
  for (const fs::path& mount : mounted_.Below(root)) {
    if (!scope_.Contains(mount.string())) continue;
    if (mounted_.At(mount).kind == FilesystemKind::kKernel) continue;
    const absl::Status status = CoverIfItAnswers(mount);
    if (!status.ok()) {
      Note(StrCat(Printable(mount.string()), " is not watched: ", Message(status)), &mount_limitations_);
    }
  }
}

// Whoever can make folders below can make some that cannot be watched: with too long a path, or too many.
absl::Status WatchMap::CoverTree(const fs::path& folder, HandleKey expected, const OnFound& found) {
  std::vector<fs::path> rest;
  CORDON_RETURN_IF_ERROR(CoverFolder(folder, expected, found, &rest));
  bool whole = true;
  while (!rest.empty()) {
    const fs::path next = std::move(rest.back());
    rest.pop_back();
    const absl::Status status = CoverFolder(next, {}, found, &rest);
    if (status.ok()) continue;
    if (NoteUnwatched(next, status)) whole = false;
    if (absl::IsResourceExhausted(status)) break;  // no other one can be marked either
  }
  if (!whole) unwatched_.push_back(folder.string());
  return absl::OkStatus();
}

// NOT_FOUND when there is no folder any more, or another one than `expected` (if that is told).
absl::StatusOr<Fd> WatchMap::MarkAndRemember(const fs::path& folder, HandleKey expected) {
  absl::StatusOr<Fd> opened = OpenFolder(folder);
  if (absl::IsFailedPrecondition(opened.status())) return absl::NotFoundError("another thing by now");
  CORDON_RETURN_IF_ERROR(opened.status());
  CORDON_ASSIGN_OR_RETURN(const std::string key, KeyOfFolder(*opened, folder));
  if (!expected.empty() && key != expected) return absl::NotFoundError("another folder by now");
  const absl::Status marked = group_.MarkFolder(*opened, folder);
  // Not for want of a folder, which is open: for want of an id of its file system.
  if (absl::IsNotFound(marked)) return absl::UnavailableError(std::string(Message(marked)));
  CORDON_RETURN_IF_ERROR(marked);
  cache_.Put(key, folder.string(), /*pinned=*/true);
  return opened;
}

// Marks first and reads afterwards: what comes between is told twice rather than never.
absl::Status WatchMap::CoverFolder(const fs::path& folder, HandleKey expected, const OnFound& found,
                                   std::vector<fs::path>* below) {
  absl::StatusOr<Fd> marked = MarkAndRemember(folder, expected);
  if (!marked.ok()) return absl::IsNotFound(marked.status()) ? absl::OkStatus() : marked.status();
  return ReadNames(*std::move(marked), folder, [&](std::string_view name, unsigned char type) {
    const fs::path path = folder / name;
    if (mounted_.MayNotAnswer(path)) return;
    const bool is_folder = type == DT_UNKNOWN ? IsFolder(path) : type == DT_DIR;
    const bool inside = scope_.Contains(path.string());
    if (found && inside) found(path, is_folder);
    if (is_folder && (inside || scope_.LeadsToRoot(path.string()))) below->push_back(path);
  });
}

// Marks `folder`, which lies above roots, and goes down to where they are or will be.
absl::Status WatchMap::CoverPathToRoots(const fs::path& folder, HandleKey expected, const OnFound& found) {
  CORDON_RETURN_IF_ERROR(MarkAndRemember(folder, expected).status());
  for (const std::string& root : scope_.Roots()) {
    if (root == folder.string() || !IsAtOrBelow(root, folder.string())) continue;
    const fs::path next = folder / *fs::path(root).lexically_relative(folder).begin();
    if (mounted_.MayNotAnswer(next) || !Exists(next)) continue;
    const bool inside = scope_.Contains(next.string());
    if (found && inside) found(next, IsFolder(next));
    if (!IsFolder(next)) continue;
    CORDON_RETURN_IF_ERROR(inside ? CoverTree(next, {}, found) : CoverPathToRoots(next, {}, found));
  }
  return absl::OkStatus();
}

bool WatchMap::IsOnMarkedFilesystem(HandleKey key) const {
  return std::ranges::any_of(mounts_, [&](const Mount& mount) { return key.starts_with(mount.fsid); });
}

const FolderCache::Folder* WatchMap::FolderOf(HandleKey key) {
  if (const FolderCache::Folder* known = cache_.Find(key)) {
    if (known->path.empty()) NoteTooDeep();
    return known;
  }
  // One file system may be mounted in several places: the one that shows the folder below a root counts.
  std::optional<std::string> path;
  bool too_deep = false;
  for (const Mount& mount : mounts_) {
    if (!key.starts_with(mount.fsid)) continue;
    absl::StatusOr<std::string> seen = PathOfFolder(key, mount.path);
    too_deep = too_deep || absl::IsOutOfRange(seen.status());
    if (!seen.ok()) continue;
    const bool inside = scope_.Contains(*seen);
    if (inside || !path.has_value()) path = *std::move(seen);
    if (inside) break;
  }
  if (path.has_value()) return cache_.PutResolved(key, *std::move(path));
  if (!too_deep) return nullptr;
  NoteTooDeep();
  return cache_.PutResolved(key, {});
}

const FolderCache::Folder* WatchMap::RememberDeleted(HandleKey key, std::string path) {
  const FolderCache::Folder* folder = cache_.Put(key, std::move(path), /*pinned=*/false);
  if (folder->path.empty()) NoteTooDeep();
  return folder;
}

void WatchMap::FolderCreated(HandleKey key, const std::string& path, const OnFound& found) {
  if (IsOnMarkedFilesystem(key)) {
    const FolderCache::Folder* folder = cache_.Put(key, path, /*pinned=*/false);
    if (folder->path.empty()) NoteTooDeep();
    return;
  }
  absl::Status status;
  if (scope_.Contains(path)) {
    status = CoverTree(path, key, found);
  } else if (scope_.LeadsToRoot(path)) {
    status = CoverPathToRoots(path, key, found);
  }
  if (status.ok() || absl::IsNotFound(status)) return;
  if (NoteUnwatched(path, status)) unwatched_.push_back(path);
}

void WatchMap::FolderRenamed(HandleKey key, const std::string& from, const std::string& to) {
  if (!from.empty() && !to.empty()) {
    cache_.Rename(from, to);
  } else {
    cache_.ForgetThoseWithoutPath();
  }
  // Moved in from where no marks are: what is below it is not new, but must be watched from now on.
  if (!to.empty()) FolderCreated(key, to, {});
}

}  // namespace cordon::platform
