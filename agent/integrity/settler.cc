#include "agent/integrity/settler.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/file_names.h"

namespace cordon::agent {
namespace {

using platform::RawFileEvent;

bool SameDeed(RawFileEvent::Kind a, RawFileEvent::Kind b) {
  const auto deed = [](RawFileEvent::Kind kind) {
    return kind == RawFileEvent::kClosedWrite ? RawFileEvent::kModified : kind;
  };
  return deed(a) == deed(b);
}

// Folds `event` into the deeds of the same process; 0 is a process that the source could not tell, which adds
// nothing to what is known of somebody already.
void Fold(const RawFileEvent& event, std::vector<FileDeed>& deeds) {
  for (FileDeed& deed : deeds) {
    const bool same_process = deed.pid == event.pid || event.pid == 0;
    if (!same_process || !SameDeed(deed.kind, event.kind) || deed.old_path != event.old_path) continue;
    ++deed.raw_events;
    deed.moved_in = deed.moved_in || event.moved_in;
    if (event.while_away && !deed.while_away) return;
    deed.boottime_nanos = event.boottime_nanos;
    deed.while_away = event.while_away;
    return;
  }
  const bool closed = event.kind == RawFileEvent::kClosedWrite;
  deeds.push_back({.kind = closed ? RawFileEvent::kModified : event.kind,
                   .pid = event.pid,
                   .boottime_nanos = event.boottime_nanos,
                   .raw_events = 1,
                   .old_path = event.old_path,
                   .while_away = event.while_away,
                   .moved_in = event.moved_in});
}

// Half a rename is what it looks like from inside the watched folders: something is gone, or new.
RawFileEvent WholeRename(RawFileEvent event) {
  if (event.kind != RawFileEvent::kRenamed || (!event.path.empty() && !event.old_path.empty())) return event;
  event.moved_in = !event.path.empty();
  event.kind = event.path.empty() ? RawFileEvent::kDeleted : RawFileEvent::kCreated;
  if (event.path.empty()) event.path = std::exchange(event.old_path, {});
  return event;
}

}  // namespace

std::vector<SettledPath> Settler::Add(const RawFileEvent& raw, int64_t now) {
  std::vector<SettledPath> told_now;
  const RawFileEvent event = WholeRename(raw);
  const std::string old_path = platform::NameBytes(event.old_path);
  if (event.kind == RawFileEvent::kRenamed && !old_path.empty()) {
    if (const auto left = pending_.find(old_path); left != pending_.end()) {
      SettledPath settled = Take(left);
      settled.moved_to = event.path;
      told_now.push_back(std::move(settled));
    }
    if (event.is_directory) MoveFolder(old_path, platform::NameBytes(event.path));
  }
  Pending& pending = PendingAt(event, now);
  Fold(event, pending.settled.deeds);
  const bool crowded = pending.settled.deeds.size() >= limits_.max_actors;
  const std::string key = platform::NameBytes(pending.settled.path);
  SetDue(key, pending,
         crowded ? now : std::min(now + limits_.quiet_nanos, pending.first + limits_.longest_nanos));
  return told_now;
}

Settler::Pending& Settler::PendingAt(const RawFileEvent& event, int64_t now) {
  const auto [at, is_new] = pending_.try_emplace(platform::NameBytes(event.path));
  Pending& pending = at->second;
  if (is_new) {
    pending.settled.path = event.path;
    pending.first = now;
    pending.due = now;
    schedule_.emplace(now, at->first);
  }
  pending.settled.is_directory = event.is_directory;
  pending.settled.registry = event.registry;
  return pending;
}

void Settler::SetDue(const std::string& path, Pending& pending, int64_t due) {
  const auto [first, last] = schedule_.equal_range(pending.due);
  const auto entry = std::find_if(first, last, [&](const auto& item) { return item.second == path; });
  auto node = schedule_.extract(entry);
  node.key() = due;
  schedule_.insert(std::move(node));
  pending.due = due;
}

Settler::Schedule::iterator Settler::EntryOf(Table::iterator at) {
  const auto [first, last] = schedule_.equal_range(at->second.due);
  return std::find_if(first, last, [&](const auto& item) { return item.second == at->first; });
}

SettledPath Settler::Take(Table::iterator at) {
  schedule_.erase(EntryOf(at));
  SettledPath settled = std::move(at->second.settled);
  settled.only_read = std::ranges::all_of(
      settled.deeds, [](const FileDeed& deed) { return deed.kind == RawFileEvent::kRead; });
  pending_.erase(at);
  return settled;
}

// What is pending below a folder that moved is told, and read, under its new name. All is taken out before
// any of it comes back: the new name may lie below the old one, when another folder is there by now.
void Settler::MoveFolder(const std::string& from, const std::string& to) {
  const std::string prefix = from + "/";
  std::vector<std::pair<Table::node_type, Schedule::iterator>> moved;
  for (auto at = pending_.lower_bound(prefix); at != pending_.end() && at->first.starts_with(prefix);) {
    const auto entry = EntryOf(at);
    moved.emplace_back(pending_.extract(at++), entry);
  }
  for (auto& [node, entry] : moved) {
    const std::string path = StrCat(to, "/", std::string_view(node.key()).substr(prefix.size()));
    node.key() = path;
    node.mapped().settled.path = platform::PathOfBytes(path);
    const auto inserted = pending_.insert(std::move(node));
    if (inserted.inserted) {
      entry->second = path;
      continue;
    }
    // Something is pending at the new name too: one entry, all deeds.
    std::ranges::copy(inserted.node.mapped().settled.deeds,
                      std::back_inserter(inserted.position->second.settled.deeds));
    schedule_.erase(entry);
  }
}

std::vector<SettledPath> Settler::TakeSettled(int64_t now, size_t max) {
  std::vector<SettledPath> settled;
  while (settled.size() < max && !schedule_.empty() && (schedule_.begin()->first <= now || Full())) {
    settled.push_back(Take(pending_.find(schedule_.begin()->second)));
  }
  return settled;
}

std::vector<SettledPath> Settler::TakeAll() {
  std::vector<SettledPath> settled;
  while (!schedule_.empty()) settled.push_back(Take(pending_.find(schedule_.begin()->second)));
  return settled;
}

std::optional<int64_t> Settler::NextDue() const {
  if (schedule_.empty()) return std::nullopt;
  return schedule_.begin()->first;
}

}  // namespace cordon::agent
