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
//
// A path that events told is changed by the events that follow. One that the kernel was asked for (resolved)
// is that of now, which renames that still wait to be read have made: no rename changes it, it is asked for
// again.
class FolderCache {
 public:
  struct Folder {
    std::string path;  // empty: longer than a path may be
    WatchScope::Names names = WatchScope::Names::kMixed;
    bool pinned = false;
    bool resolved = false;
  };
  static constexpr size_t kMaxPathBytes = 4096;  // PATH_MAX: what is as long has no path

  // `scope` must outlive the cache.
  FolderCache(const WatchScope& scope, size_t capacity) : scope_(scope), capacity_(capacity) {}

  // nullptr when not known. Valid until the next call of Put.
  const Folder* Find(HandleKey key);
  const Folder* Put(HandleKey key, std::string path, bool pinned);
  const Folder* PutResolved(HandleKey key, std::string path);
  void Unpin(HandleKey key);
  // The folder, and with it all below, has another name now. Forgets what is resolved and concerned, or has
  // no path.
  void Rename(std::string_view from, std::string_view to);
  // A folder was renamed, from or to somewhere that is not known.
  void ForgetThoseWithoutPath();
  size_t Size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    Folder folder;
  };
  using Entries = std::unordered_map<std::string_view, std::list<Entry>::iterator>;

  const Folder* Put(HandleKey key, std::string path, bool pinned, bool resolved);
  void SetPath(Folder& folder, std::string path) const;
  Entries::iterator Forget(Entries::iterator at);
  void Shrink();

  const WatchScope& scope_;
  const size_t capacity_;
  std::list<Entry> unpinned_;  // most recently used first
  std::list<Entry> pinned_;
  Entries entries_;  // keys stand in the list's entries
};

}  // namespace cordon::platform
