#include "platform/linux/files/event_translator.h"

#include <sys/fanotify.h>

#include <utility>

namespace cordon::platform {
namespace {

// Of deleted folders within each other; a path can say no deeper one.
constexpr int kMaxDepth = static_cast<int>(FolderCache::kMaxPathBytes / 2);
constexpr int kWaitForEndMillis = 20;  // for the news of a deleted folder's end
constexpr size_t kMaxChunks = 64;
constexpr int kMaxVainWaits = 3;  // per call: folders whose end never comes must not hold the rest up

// One record can stand for several things that the same process did to the same name.
struct KindOfMask {
  uint64_t bit;
  RawFileEvent::Kind kind;
};
constexpr KindOfMask kKinds[] = {
    {FAN_CREATE, RawFileEvent::kCreated},    {FAN_MODIFY, RawFileEvent::kModified},
    {FAN_ATTRIB, RawFileEvent::kAttributes}, {FAN_CLOSE_WRITE, RawFileEvent::kClosedWrite},
    {FAN_DELETE, RawFileEvent::kDeleted},
};
constexpr uint64_t kReads = FAN_ACCESS | FAN_CLOSE_NOWRITE;

}  // namespace

std::vector<RawFileEvent> EventTranslator::Translate(EventBuffer::Chunk chunk) {
  events_.clear();
  AppendChunk(std::move(chunk));
  // By index: FolderOf may append further records while it looks for the end of a folder.
  for (size_t i = 0; i < records_.size(); ++i) {
    const FanotifyRecord record = records_[i];
    const Times times = times_[i];
    TranslateRecord(record, times);
  }
  if (unplaced_ > 0) TellOverflow(std::exchange(unplaced_, 0), times_.empty() ? Times() : times_.front());
  deleted_.clear();
  records_.clear();
  times_.clear();
  chunks_.clear();
  noted_ = 0;
  vain_waits_ = 0;
  return std::move(events_);
}

void EventTranslator::AppendChunk(EventBuffer::Chunk chunk) {
  if (chunk.mounts_changed) {
    map_.CoverMounts();
    TellUnwatched({chunk.boottime_nanos, chunk.queue_empty_nanos});
  }
  if (chunk.lost_before > 0) TellOverflow(chunk.lost_before, {chunk.boottime_nanos, chunk.lost_since_nanos});
  chunks_.push_back(std::move(chunk));
  const EventBuffer::Chunk& kept = chunks_.back();
  const Times times = {kept.boottime_nanos, kept.queue_empty_nanos};
  if (!DecodeFanotify(kept.bytes, &records_)) TellOverflow(0, times);
  times_.resize(records_.size(), times);
}

void EventTranslator::TranslateRecord(const FanotifyRecord& record, const Times& times) {
  if ((record.mask & FAN_Q_OVERFLOW) != 0) return TellOverflow(0, times);
  RawFileEvent event{
      .is_directory = (record.mask & FAN_ONDIR) != 0, .pid = record.pid, .boottime_nanos = times.read};
  if ((record.mask & FAN_RENAME) != 0) return TranslateRename(record, std::move(event), times);
  if (!record.entry.Known()) return;  // an object without a name left
  std::optional<Place> place = PlaceOf(record.entry);
  if (!place.has_value()) return;
  const bool wanted = place->inside && (record.pid != own_pid_ || scope_.IsCanary(place->path));
  event.path = place->path;
  if (wanted && !event.is_directory && (record.mask & kReads) != 0) {
    events_.push_back(event);
    events_.back().kind = RawFileEvent::kRead;
  }
  if (wanted) {
    for (const auto& [bit, kind] : kKinds) {
      if ((record.mask & bit) == 0) continue;
      event.kind = kind;
      events_.push_back(event);
    }
    // Two halves of a rename, before Linux 5.17.
    if ((record.mask & FAN_MOVED_FROM) != 0) {
      events_.push_back(event);
      events_.back().kind = RawFileEvent::kRenamed;
      events_.back().old_path = std::exchange(events_.back().path, {});
    }
    if ((record.mask & FAN_MOVED_TO) != 0) {
      events_.push_back(event);
      events_.back().kind = RawFileEvent::kRenamed;
    }
  }
  if (event.is_directory) TellFolder(record, place->path, times);
}

void EventTranslator::TellFolder(const FanotifyRecord& record, const std::string& path, const Times& times) {
  if ((record.mask & (FAN_CREATE | FAN_MOVED_TO)) != 0) {
    const bool created = (record.mask & FAN_CREATE) != 0;
    const auto found = [&](const std::filesystem::path& inner, bool is_folder) {
      events_.push_back({.kind = RawFileEvent::kCreated,
                         .is_directory = is_folder,
                         .path = inner,
                         .pid = 0,
                         .boottime_nanos = times.read});
    };
    map_.FolderCreated(record.target, path, created ? WatchMap::OnFound(found) : WatchMap::OnFound());
    TellUnwatched(times);
  }
  if ((record.mask & FAN_DELETE) != 0 && !record.target.empty()) map_.FolderDeleted(record.target);
}

void EventTranslator::TranslateRename(const FanotifyRecord& record, RawFileEvent event, const Times& times) {
  std::optional<Place> from = record.entry.Known() ? PlaceOf(record.entry) : std::nullopt;
  std::optional<Place> to = record.new_entry.Known() ? PlaceOf(record.new_entry) : std::nullopt;
  const bool inside = (from.has_value() && from->inside) || (to.has_value() && to->inside);
  const bool own = record.pid == own_pid_ && !(to.has_value() && scope_.IsCanary(to->path));
  if (event.is_directory) {
    map_.FolderRenamed(record.target, from.has_value() ? from->path : "", to.has_value() ? to->path : "");
    TellUnwatched(times);
  }
  if (!inside || own) return;
  event.kind = RawFileEvent::kRenamed;
  if (from.has_value()) event.old_path = std::move(from->path);
  if (to.has_value()) event.path = std::move(to->path);
  events_.push_back(std::move(event));
}

// Nothing when the folder is not known any more (counted), or is too deep for a path (a limitation).
std::optional<EventTranslator::Place> EventTranslator::PlaceOf(const NamedEntry& entry) {
  const FolderCache::Folder* folder = FolderOf(entry.folder);
  if (folder == nullptr) {
    ++unplaced_;
    return std::nullopt;
  }
  if (folder->path.empty()) return std::nullopt;
  Place place{.path = folder->path, .inside = folder->names == WatchScope::Names::kAllInside};
  if (entry.name != ".") {
    if (place.path != "/") place.path += '/';
    place.path += entry.name;
  }
  if (folder->names == WatchScope::Names::kMixed || entry.name == ".")
    place.inside = scope_.Contains(place.path);
  return place;
}

const FolderCache::Folder* EventTranslator::FolderOf(HandleKey key) {
  if (const FolderCache::Folder* known = map_.FolderOf(key)) return known;
  NoteDeletedFolders();
  if (const FolderCache::Folder* deleted = DeletedFolderOf(key, 0)) return deleted;
  // A folder's end is told after what happened in it: wait a little for it.
  EventBuffer::Chunk more;
  while (chunks_.size() < kMaxChunks && vain_waits_ < kMaxVainWaits) {
    if (!buffer_.PopWithin(kWaitForEndMillis, &more)) {
      ++vain_waits_;
      break;
    }
    AppendChunk(std::move(more));
    NoteDeletedFolders();
    if (const FolderCache::Folder* deleted = DeletedFolderOf(key, 0)) return deleted;
  }
  return nullptr;
}

const FolderCache::Folder* EventTranslator::DeletedFolderOf(HandleKey key, int depth) {
  const auto end = deleted_.find(key);
  if (end == deleted_.end()) return nullptr;
  if (depth > kMaxDepth) return map_.RememberDeleted(key, {});
  const FolderCache::Folder* parent = map_.FolderOf(end->second.folder);
  if (parent == nullptr) parent = DeletedFolderOf(end->second.folder, depth + 1);
  if (parent == nullptr) return nullptr;
  if (parent->path.empty()) return map_.RememberDeleted(key, {});
  std::string path = parent->path == "/" ? "" : parent->path;
  path += '/';
  path += end->second.name;
  return map_.RememberDeleted(key, std::move(path));
}

void EventTranslator::NoteDeletedFolders() {
  for (; noted_ < records_.size(); ++noted_) {
    const FanotifyRecord& record = records_[noted_];
    const bool folder_ended = (record.mask & FAN_DELETE) != 0 && (record.mask & FAN_ONDIR) != 0;
    if (folder_ended && !record.target.empty() && record.entry.Known())
      deleted_[record.target] = record.entry;
  }
}

void EventTranslator::TellOverflow(uint64_t count, const Times& times) {
  events_.push_back({.kind = RawFileEvent::kOverflow,
                     .boottime_nanos = times.read,
                     .lost_count = count,
                     .lost_since_boottime_nanos = times.queue_empty});
}

// What comes into a folder that cannot be watched is not told.
void EventTranslator::TellUnwatched(const Times& times) {
  for (std::string& folder : map_.TakeUnwatched()) {
    events_.push_back({.kind = RawFileEvent::kOverflow,
                       .is_directory = true,
                       .path = std::move(folder),
                       .boottime_nanos = times.read,
                       .lost_since_boottime_nanos = times.queue_empty,
                       .lost_because = "a folder there cannot be watched, as health says"});
  }
}

}  // namespace cordon::platform
