#include "agent/integrity/file_facts.h"

#include <algorithm>
#include <utility>

#include "agent/event/file_state.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using platform::RawFileEvent;

v1::FileChanged::Change ChangeOf(RawFileEvent::Kind kind) {
  switch (kind) {
    case RawFileEvent::kCreated:
      return v1::FileChanged::CHANGE_CREATED;
    case RawFileEvent::kDeleted:
      return v1::FileChanged::CHANGE_DELETED;
    case RawFileEvent::kRenamed:
      return v1::FileChanged::CHANGE_RENAMED;
    case RawFileEvent::kAttributes:
      return v1::FileChanged::CHANGE_ATTRIBUTES;
    case RawFileEvent::kRead:
      return v1::FileChanged::CHANGE_READ;
    case RawFileEvent::kModified:
    case RawFileEvent::kClosedWrite:
    case RawFileEvent::kOverflow:
      break;
  }
  return v1::FileChanged::CHANGE_MODIFIED;
}

// Which of a process's deeds swallow a lesser one of the same process: creating a file includes writing it
// and setting its mode; writing or deleting changes its times and link count.
bool Swallows(RawFileEvent::Kind greater, RawFileEvent::Kind lesser) {
  if (lesser == RawFileEvent::kModified) return greater == RawFileEvent::kCreated;
  if (lesser != RawFileEvent::kAttributes) return false;
  return greater == RawFileEvent::kCreated || greater == RawFileEvent::kModified ||
         greater == RawFileEvent::kDeleted || greater == RawFileEvent::kRenamed;
}

std::vector<FileDeed> FoldLesser(std::vector<FileDeed> deeds) {
  std::vector<FileDeed> kept;
  for (const FileDeed& deed : deeds) {
    const auto swallows = [&](const FileDeed& other) {
      return other.pid == deed.pid && Swallows(other.kind, deed.kind);
    };
    const auto greater = std::ranges::find_if(deeds, swallows);
    if (greater == deeds.end()) kept.push_back(deed);
  }
  for (FileDeed& deed : kept) {
    for (const FileDeed& other : deeds) {
      if (other.pid == deed.pid && Swallows(deed.kind, other.kind)) deed.raw_events += other.raw_events;
    }
  }
  return kept;
}

// Deletions come last when the file is gone, and before its new creation when it is there.
void Order(std::vector<FileDeed>& deeds, bool exists) {
  std::ranges::stable_sort(deeds, {}, [&](const FileDeed& deed) {
    if (deed.kind == RawFileEvent::kDeleted) return exists ? 0 : 2;
    return 1;
  });
}

}  // namespace

std::vector<FileFact> TellFacts(const SettledPath& settled, const FoundFile& found) {
  std::vector<FileDeed> deeds = FoldLesser(settled.deeds);
  Order(deeds, found.exists);
  std::vector<FileFact> facts;
  for (const FileDeed& deed : deeds) {
    FileFact fact{
        .change = {}, .boottime_nanos = deed.boottime_nanos, .content = found.content, .parent_guid = {}};
    fact.change.set_change(ChangeOf(deed.kind));
    fact.change.set_path(EventPath(settled.path));
    if (deed.kind == RawFileEvent::kRenamed) fact.change.set_old_path(EventPath(deed.old_path));
    fact.change.set_pid(deed.pid);
    if (deed.raw_events > 1) fact.change.set_repeats(deed.raw_events);
    if (deed.kind != RawFileEvent::kDeleted) {
      if (found.exists) *fact.change.mutable_state() = found.state;
      fact.change.set_hash_skipped_reason(EscapeToUtf8(found.hash_skipped));
    }
    facts.push_back(std::move(fact));
  }
  return facts;
}

}  // namespace cordon::agent
