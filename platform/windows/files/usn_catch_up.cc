#include "platform/windows/files/usn_catch_up.h"

#include <algorithm>
#include <utility>

namespace cordon::platform {
namespace {

constexpr std::string_view kOtherJournal = "the volume's journal was deleted and made anew";
constexpr std::string_view kNotKept = "the volume's journal does not reach back so far";
constexpr std::string_view kSetBack = "the volume was set back to an earlier state";
constexpr std::string_view kUnreadable = "the volume's journal cannot be read";
constexpr std::string_view kDamaged = "the volume's journal has records that cannot be read";
constexpr std::string_view kUnplaced = "the folders of some changes cannot be told";

}  // namespace

UsnCatchUp::UsnCatchUp(UsnVolume& volume, const UsnPosition& from, const UsnJournal& now)
    : volume_(volume), from_(from), until_(now.next_usn), next_(from.next_usn), gone_next_(from.next_usn) {
  if (from.journal != now.id) {
    Lose(kOtherJournal);
  } else if (from.next_usn < now.first_usn) {
    Lose(kNotKept);
  } else if (from.next_usn > now.next_usn) {
    Lose(kSetBack);
  } else if (from.next_usn == now.next_usn) {
    pass_ = Pass::kFinished;
  }
}

void UsnCatchUp::Lose(std::string_view why) {
  lost_ = why;
  unplaced_ = 0;
  pass_ = Pass::kFinished;
}

std::vector<UsnTold> UsnCatchUp::Step() {
  if (pass_ == Pass::kChanges) return TellChanges();
  if (pass_ == Pass::kFolders) {
    NoteGoneFolders();
    if (gone_next_ >= until_ && !Finished()) pass_ = Pass::kChanges;
  }
  return {};
}

// The next page, and `next` behind it. A journal that does not go on ends there.
std::optional<UsnPage> UsnCatchUp::Read(int64_t* next) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = volume_.Read(from_.journal, *next);
  if (!bytes.ok()) {
    Lose(absl::IsOutOfRange(bytes.status()) ? kNotKept : kUnreadable);
    return std::nullopt;
  }
  UsnPage page = DecodeUsnPage(*bytes);
  if (!page.whole && lost_.empty()) lost_ = kDamaged;
  *next = page.next_usn > *next ? page.next_usn : std::max(until_, *next);
  return page;
}

void UsnCatchUp::NoteGoneFolders() {
  const std::optional<UsnPage> page = Read(&gone_next_);
  if (!page.has_value()) return;
  for (const UsnRecord& record : page->records) {
    if (!record.is_directory || (record.reason & UsnRecord::kFileDelete) == 0) continue;
    if (gone_.size() >= kMostFolders) return;  // their changes are counted as lost
    gone_[record.file] = {.folder = record.parent, .name = record.name};
  }
}

std::vector<UsnTold> UsnCatchUp::TellChanges() {
  std::vector<UsnTold> told;
  const std::optional<UsnPage> page = Read(&next_);
  if (!page.has_value()) return told;
  for (const UsnRecord& record : page->records) {
    if (record.usn >= until_) break;  // the live watch has it
    for (const UsnChange& change : fold_.Add(record)) Tell(change, &told);
  }
  if (next_ < until_ || Finished()) return told;
  pass_ = Pass::kFinished;
  if (unplaced_ > 0 && lost_.empty()) lost_ = kUnplaced;
  gone_.clear();
  paths_.clear();
  return told;
}

void UsnCatchUp::Tell(const UsnChange& change, std::vector<UsnTold>* told) {
  const std::optional<std::u16string> path = PathOf(change.at);
  std::optional<std::u16string> old_path = std::u16string();
  if (!change.old.name.empty()) old_path = PathOf(change.old);
  if (!path.has_value() || !old_path.has_value()) ++unplaced_;
  if (!path.has_value() && old_path.value_or(u"").empty()) return;
  told->push_back({.kind = change.kind,
                   .is_directory = change.is_directory,
                   .path = path.value_or(u""),
                   .old_path = old_path.value_or(u""),
                   .file_time = change.file_time});
}

std::optional<std::u16string> UsnCatchUp::PathOf(const UsnName& name) {
  std::optional<std::u16string> path = PathOfFolder(name.folder, 0);
  if (!path.has_value()) return std::nullopt;
  if (!path->ends_with(u'\\')) path->push_back(u'\\');
  return *std::move(path) + name.name;
}

std::optional<std::u16string> UsnCatchUp::PathOfFolder(const UsnFileId& folder, int depth) {
  if (const auto known = paths_.find(folder); known != paths_.end()) return known->second;
  std::optional<std::u16string> path;
  absl::StatusOr<std::u16string> now = absl::NotFoundError("gone");
  if (!gone_.contains(folder)) now = volume_.PathOfFolder(folder);
  if (now.ok()) {
    path = *std::move(now);
  } else if (absl::IsNotFound(now.status()) && depth < kDeepest && IsGone(folder)) {
    const UsnName last = gone_[folder];
    path = PathOfFolder(last.folder, depth + 1);
    if (path.has_value()) *path += (path->ends_with(u'\\') ? u"" : u"\\") + last.name;
  }
  if (paths_.size() >= kMostFolders) paths_.clear();
  paths_[folder] = path;
  return path;
}

// Folders go while this works: what the journal says of them stands behind what is told.
bool UsnCatchUp::IsGone(const UsnFileId& folder) {
  for (int page = 0; page < kMostPages && !gone_.contains(folder); ++page) {
    const int64_t before = gone_next_;
    NoteGoneFolders();
    if (gone_next_ == before) break;
  }
  return gone_.contains(folder);
}

}  // namespace cordon::platform
