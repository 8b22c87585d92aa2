#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/api/file_source.h"
#include "platform/linux/files/event_buffer.h"
#include "platform/linux/files/fanotify_decode.h"
#include "platform/linux/files/watch_map.h"

namespace cordon::platform {

// Chunks of the kernel's buffer -> events with paths, in order, of watched paths only. Not thread-safe.
class EventTranslator {
 public:
  // `own_pid`: whose events are left out, but for the canary's. References must outlive the translator.
  EventTranslator(WatchMap& map, const WatchScope& scope, EventBuffer& buffer, uint32_t own_pid)
      : map_(map), scope_(scope), buffer_(buffer), own_pid_(own_pid) {}

  // The events of `chunk`; may take further chunks from the buffer when a folder was deleted before it could
  // be asked for, since the news of its end, which names it, comes later.
  std::vector<RawFileEvent> Translate(EventBuffer::Chunk chunk);

 private:
  struct Times {
    int64_t read = 0;         // boot time
    int64_t queue_empty = 0;  // before the read
  };
  struct Place {
    std::string path;
    bool inside = false;
  };

  void AppendChunk(EventBuffer::Chunk chunk);
  void TranslateRecord(const FanotifyRecord& record, const Times& times);
  void TranslateRename(const FanotifyRecord& record, RawFileEvent event, const Times& times);
  void TellFolder(const FanotifyRecord& record, const std::string& path, const Times& times);
  std::optional<Place> PlaceOf(const NamedEntry& entry);
  const FolderCache::Folder* FolderOf(HandleKey key);
  const FolderCache::Folder* DeletedFolderOf(HandleKey key, int depth);
  void NoteDeletedFolders();
  void TellOverflow(uint64_t count, const Times& times);
  void TellUnwatched(const Times& times);

  WatchMap& map_;
  const WatchScope& scope_;
  EventBuffer& buffer_;
  const uint32_t own_pid_;

  // Of the current call.
  std::deque<EventBuffer::Chunk> chunks_;  // keep the records' bytes alive
  std::vector<FanotifyRecord> records_;
  std::vector<Times> times_;
  size_t noted_ = 0;  // records_ below this index are in deleted_
  std::unordered_map<std::string_view, NamedEntry> deleted_;
  uint64_t unplaced_ = 0;
  int vain_waits_ = 0;
  std::vector<RawFileEvent> events_;
};

}  // namespace cordon::platform
