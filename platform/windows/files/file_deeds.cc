#include "platform/windows/files/file_deeds.h"

#include <algorithm>
#include <utility>

#include "common/base/paths.h"
#include "platform/api/file_names.h"

namespace cordon::platform {
namespace {

using Record = FileTraceRecord;

constexpr size_t kDeedsPerPath = 6;
// The trace is stamped by a clock that moves in steps.
constexpr int64_t kClockStep = 20'000'000;

}  // namespace

void FileDeeds::Watch(DevicePaths folders, const std::vector<std::string>& excluded) {
  folders_ = std::move(folders);
  excluded_.clear();
  for (const std::string& path : excluded) excluded_.push_back(WithoutCapitals(path));
}

void FileDeeds::Forget() {
  open_.Clear();
  files_.Clear();
  paths_.clear();
  queue_.clear();
}

std::optional<std::string> FileDeeds::Known(std::u16string_view device_path) const {
  const std::optional<std::string> path = folders_.Find(device_path);
  if (!path.has_value()) return std::nullopt;
  std::string same = WithoutCapitals(*path);
  const auto holds = [&](const std::string& prefix) { return IsAtOrBelow(same, prefix); };
  if (std::ranges::any_of(excluded_, holds)) return std::nullopt;
  return same;
}

// An opening tells of which file it is: then others who had that file open before are known too.
const std::string* FileDeeds::PathOf(const Record& record) {
  if (const Opening* const open = open_.Find(record.object)) {
    if (record.key != 0) files_.Put(record.key, open->path);
    return &open->path;
  }
  return files_.Find(record.key);
}

void FileDeeds::Take(const Record& record, uint32_t pid, int64_t boottime_nanos) {
  DropOld(boottime_nanos);
  const auto note = [&](const std::optional<std::string>& path, uint8_t what) {
    if (path.has_value()) Note(*path, pid, boottime_nanos, what);
  };
  switch (record.kind) {
    case Record::kName:
      files_.Erase(record.key);
      if (std::optional<std::string> path = Known(record.path)) files_.Put(record.key, *std::move(path));
      return;
    case Record::kNameGone:
      return files_.Erase(record.key);
    case Record::kOpen:
    case Record::kMake:
      return TakeOpening(record, pid, boottime_nanos);
    case Record::kWrite:
    case Record::kSetInformation:
      return TakeWrite(record, pid, boottime_nanos);
    case Record::kClose:
      return TakeClose(record, boottime_nanos);
    case Record::kDelete:
      return note(Known(record.path), kGone);
    case Record::kRename:
      return TakeRename(record, pid, boottime_nanos);
    case Record::kLink:
      return note(Known(record.path), kMade | kReplaced);
  }
}

// The address may be one that was used before, of a file elsewhere. A new file is told twice, as opened and
// as made.
void FileDeeds::TakeOpening(const Record& record, uint32_t pid, int64_t now) {
  open_.Erase(record.object);
  std::optional<std::string> path = Known(record.path);
  if (!path.has_value()) return;
  if (record.kind == Record::kMake) Note(*path, pid, now, kMade);
  Opening opening{.path = *std::move(path), .writer = {}, .deleter = {}};
  if (record.overwrites) opening.writer = pid;
  if (record.deletes_on_close) opening.deleter = pid;
  open_.Put(record.object, std::move(opening));
}

void FileDeeds::TakeWrite(const Record& record, uint32_t pid, int64_t now) {
  if (const std::string* const path = PathOf(record)) Note(*path, pid, now, kChanged);
  if (Opening* const open = open_.Find(record.object)) open->writer = pid;
}

void FileDeeds::TakeClose(const Record& record, int64_t now) {
  const Opening* const open = open_.Find(record.object);
  if (open == nullptr) return;
  if (open->writer.has_value()) Note(open->path, *open->writer, now, kChanged);
  if (open->deleter.has_value()) Note(open->path, *open->deleter, now, kGone);
  open_.Erase(record.object);
}

// What else is open at or below the old name has another path now, and is not known any more.
void FileDeeds::TakeRename(const Record& record, uint32_t pid, int64_t now) {
  const std::optional<std::string> to = Known(record.path);
  if (to.has_value()) Note(*to, pid, now, kMade | kReplaced);
  Opening own;
  if (const Opening* const open = open_.Find(record.object)) own = *open;
  if (const std::string* const known = PathOf(record)) {
    const std::string from = *known;
    if (from == to) return;
    Note(from, pid, now, kGone);
    open_.EraseIf([&](const Opening& open) { return IsAtOrBelow(open.path, from); });
    files_.EraseIf([&](const std::string& path) { return IsAtOrBelow(path, from); });
  }
  if (!to.has_value()) return;
  own.path = *to;
  open_.Put(record.object, std::move(own));
  if (record.key != 0) files_.Put(record.key, *to);
}

void FileDeeds::Note(const std::string& path, uint32_t pid, int64_t now, uint8_t what) {
  const auto [at, is_new] = paths_.try_emplace(path);
  Path& known = at->second;
  if (is_new) {
    known.queued = now;
    queue_.push_back(path);
  }
  if (!known.deeds.empty()) {
    Deed& before = known.deeds.back();
    if (before.pid == pid && before.what == what && now <= before.last + kRecent) {
      before.last = std::max(before.last, now);
      return;
    }
  }
  if (known.deeds.size() >= kDeedsPerPath) known.deeds.erase(known.deeds.begin());
  known.deeds.push_back({.pid = pid, .what = what, .first = now, .last = now});
}

void FileDeeds::DropOld(int64_t now) {
  while (!queue_.empty()) {
    const auto oldest = paths_.find(queue_.front());
    const int64_t last = oldest->second.deeds.back().last;
    const bool crowded = paths_.size() > limits_.paths;
    if (!crowded && oldest->second.queued + limits_.kept_nanos > now) return;
    if (last > oldest->second.queued && last + limits_.kept_nanos > now && !crowded) {
      oldest->second.queued = last;
      queue_.push_back(std::move(queue_.front()));
    } else {
      paths_.erase(oldest);
    }
    queue_.pop_front();
  }
}

std::optional<FileDoer> FileDeeds::Find(const RawFileEvent& event) const {
  if (event.while_away || event.registry != nullptr) return std::nullopt;
  const int64_t until = event.boottime_nanos;
  switch (event.kind) {
    case RawFileEvent::kCreated:
      return LastOf(event.path, kMade, until);
    case RawFileEvent::kModified:
      return LastOf(event.path, kChanged | kMade, until);
    case RawFileEvent::kDeleted:
      return LastOf(event.path, kGone | kReplaced, until);
    case RawFileEvent::kRenamed:
      return event.path.empty() ? LastOf(event.old_path, kGone, until) : LastOf(event.path, kReplaced, until);
    default:
      return std::nullopt;
  }
}

std::optional<FileDoer> FileDeeds::LastOf(const std::filesystem::path& path, uint8_t what,
                                          int64_t until) const {
  const auto found = paths_.find(WithoutCapitals(NameBytes(path)));
  if (found == paths_.end()) return std::nullopt;
  const Deed* last = nullptr;
  for (const Deed& deed : found->second.deeds) {
    const bool in_time = deed.first <= until + kClockStep && until <= deed.last + kRecent;
    if ((deed.what & what) != 0 && in_time) last = &deed;
  }
  if (last == nullptr || last->pid == 0) return std::nullopt;
  return FileDoer{.pid = last->pid, .boottime_nanos = std::min(last->last, until)};
}

}  // namespace cordon::platform
