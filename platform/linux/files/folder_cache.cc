#include "platform/linux/files/folder_cache.h"

#include <iterator>
#include <utility>

namespace cordon::platform {

const FolderCache::Folder* FolderCache::Find(HandleKey key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  const auto entry = found->second;
  if (!entry->folder.pinned) unpinned_.splice(unpinned_.begin(), unpinned_, entry);
  return &entry->folder;
}

const FolderCache::Folder* FolderCache::Put(HandleKey key, std::string path, bool pinned) {
  return Put(key, std::move(path), pinned, /*resolved=*/false);
}

const FolderCache::Folder* FolderCache::PutResolved(HandleKey key, std::string path) {
  return Put(key, std::move(path), /*pinned=*/false, /*resolved=*/true);
}

const FolderCache::Folder* FolderCache::Put(HandleKey key, std::string path, bool pinned, bool resolved) {
  if (const auto found = entries_.find(key); found != entries_.end()) {
    const auto entry = found->second;
    const bool was_pinned = entry->folder.pinned;
    if (pinned && !was_pinned) pinned_.splice(pinned_.begin(), unpinned_, entry);
    entry->folder.pinned = pinned || was_pinned;
    entry->folder.resolved = resolved;
    SetPath(entry->folder, std::move(path));
    return &entry->folder;
  }
  std::list<Entry>& list = pinned ? pinned_ : unpinned_;
  list.push_front({.key = std::string(key), .folder = {.path = {}, .pinned = pinned, .resolved = resolved}});
  SetPath(list.front().folder, std::move(path));
  entries_.emplace(list.front().key, list.begin());
  Shrink();
  return &list.front().folder;
}

// Whoever can make folders can make them deeper than a path can say, and as many: their paths are not kept.
void FolderCache::SetPath(Folder& folder, std::string path) const {
  if (path.size() >= kMaxPathBytes) path.clear();
  folder.names = path.empty() ? WatchScope::Names::kAllOutside : scope_.NamesIn(path);
  folder.path = std::move(path);
}

void FolderCache::Unpin(HandleKey key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second->folder.pinned) return;
  found->second->folder.pinned = false;
  unpinned_.splice(unpinned_.begin(), pinned_, found->second);
  Shrink();
}

// What has a mark stays, whatever its path.
FolderCache::Entries::iterator FolderCache::Forget(Entries::iterator at) {
  if (at->second->folder.pinned) return std::next(at);
  const auto entry = at->second;
  const auto next = entries_.erase(at);
  unpinned_.erase(entry);
  return next;
}

void FolderCache::Rename(std::string_view from, std::string_view to) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    Folder& folder = at->second->folder;
    const bool moved = IsAtOrBelow(folder.path, from);
    const bool asked = folder.resolved && (moved || IsAtOrBelow(folder.path, to));
    if (asked || folder.path.empty()) {
      at = Forget(at);
      continue;
    }
    if (moved) SetPath(folder, std::string(to) + folder.path.substr(from.size()));
    ++at;
  }
}

void FolderCache::ForgetThoseWithoutPath() {
  for (auto at = entries_.begin(); at != entries_.end();) {
    at = at->second->folder.path.empty() ? Forget(at) : std::next(at);
  }
}

void FolderCache::Shrink() {
  while (unpinned_.size() > capacity_) {
    entries_.erase(unpinned_.back().key);
    unpinned_.pop_back();
  }
}

}  // namespace cordon::platform
