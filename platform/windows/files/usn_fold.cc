#include "platform/windows/files/usn_fold.h"

#include <utility>

namespace cordon::platform {
namespace {

using Record = UsnRecord;

constexpr uint32_t kContent = Record::kDataOverwrite | Record::kDataExtend | Record::kDataTruncation |
                              Record::kNamedDataOverwrite | Record::kNamedDataExtend |
                              Record::kNamedDataTruncation | Record::kStreamChange |
                              Record::kTransactedChange;
constexpr uint32_t kSettings = Record::kEaChange | Record::kSecurityChange | Record::kBasicInfoChange |
                               Record::kHardLinkChange | Record::kCompressionChange |
                               Record::kEncryptionChange | Record::kReparsePointChange;
constexpr uint32_t kNames = Record::kRenameOldName | Record::kRenameNewName;

}  // namespace

std::vector<UsnChange> UsnFold::Add(const UsnRecord& record) {
  if (open_.size() >= kMostOpen && !open_.contains(record.file)) open_.clear();
  Open& open = open_[record.file];
  const UsnName name{.folder = record.parent, .name = record.name};
  std::vector<UsnChange> changes;
  const auto tell = [&](RawFileEvent::Kind kind, UsnName old = {}) {
    changes.push_back({.kind = kind,
                       .is_directory = record.is_directory,
                       .at = name,
                       .old = std::move(old),
                       .file_time = record.file_time});
  };
  const uint32_t fresh = record.reason & ~open.told;
  if ((fresh & Record::kFileCreate) != 0) tell(RawFileEvent::kCreated);
  // Old name and new name are two records; in the second one the first bit may still be set.
  const bool first_half =
      (record.reason & Record::kRenameOldName) != 0 && (open.old.name.empty() || open.old == name);
  if (first_half) {
    open.old = name;
  } else if (!open.old.name.empty() || (fresh & Record::kRenameNewName) != 0) {
    tell(RawFileEvent::kRenamed, std::exchange(open.old, {}));
  }
  // What happens in a folder is told by itself.
  if ((fresh & kContent) != 0 && !record.is_directory) tell(RawFileEvent::kModified);
  if ((fresh & kSettings) != 0) tell(RawFileEvent::kAttributes);
  if ((fresh & Record::kFileDelete) != 0) tell(RawFileEvent::kDeleted);
  open.told |= record.reason & ~kNames;
  if (!first_half && (record.reason & Record::kRenameNewName) != 0) open.told |= Record::kRenameNewName;
  if ((record.reason & Record::kClose) != 0) open_.erase(record.file);
  return changes;
}

}  // namespace cordon::platform
