#include "platform/linux/files/folder_cache.h"

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
  const WatchScope::Names names = scope_.NamesIn(path);
  if (const auto found = entries_.find(key); found != entries_.end()) {
    const auto entry = found->second;
    const bool was_pinned = entry->folder.pinned;
    if (pinned && !was_pinned) pinned_.splice(pinned_.begin(), unpinned_, entry);
    entry->folder = {.path = std::move(path), .names = names, .pinned = pinned || was_pinned};
    return &entry->folder;
  }
  std::list<Entry>& list = pinned ? pinned_ : unpinned_;
  list.push_front(
      {.key = std::string(key), .folder = {.path = std::move(path), .names = names, .pinned = pinned}});
  entries_.emplace(list.front().key, list.begin());
  Shrink();
  return &list.front().folder;
}

void FolderCache::Unpin(HandleKey key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second->folder.pinned) return;
  found->second->folder.pinned = false;
  unpinned_.splice(unpinned_.begin(), pinned_, found->second);
  Shrink();
}

void FolderCache::Rename(std::string_view from, std::string_view to) {
  for (const auto& [key, entry] : entries_) {
    Folder& folder = entry->folder;
    if (!IsAtOrBelow(folder.path, from)) continue;
    folder.path = std::string(to) + folder.path.substr(from.size());
    folder.names = scope_.NamesIn(folder.path);
  }
}

void FolderCache::Shrink() {
  while (unpinned_.size() > capacity_) {
    entries_.erase(unpinned_.back().key);
    unpinned_.pop_back();
  }
}

}  // namespace cordon::platform
