#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "platform/linux/files/fanotify_decode.h"
#include "platform/linux/files/watch_scope.h"

namespace cordon::platform {

// Where the folder behind a handle is, so that the kernel is asked once per folder and not once per event.
// Bounded: the least recently used goes first, pinned ones (those with a mark of their own) stay. A folder
// that is deleted stays too until it is pushed out: events from before its end may still come, and its handle
// is never used again.
class FolderCache {
 public:
  struct Folder {
    std::string path;
    WatchScope::Names names = WatchScope::Names::kMixed;
    bool pinned = false;
  };

  // `scope` must outlive the cache.
  FolderCache(const WatchScope& scope, size_t capacity) : scope_(scope), capacity_(capacity) {}

  // nullptr when not known. Valid until the next call of Put.
  const Folder* Find(HandleKey key);
  const Folder* Put(HandleKey key, std::string path, bool pinned);
  void Unpin(HandleKey key);
  // The folder, and with it all below, has another name now.
  void Rename(std::string_view from, std::string_view to);
  size_t Size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Folder folder;
  };
  void Shrink();

  const WatchScope& scope_;
  const size_t capacity_;
  std::list<Entry> unpinned_;  // most recently used first
  std::list<Entry> pinned_;
  std::unordered_map<std::string_view, std::list<Entry>::iterator>
      entries_;  // keys stand in the list's entries
};

}  // namespace cordon::platform
