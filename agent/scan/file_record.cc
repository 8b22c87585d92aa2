#include "agent/scan/file_record.h"

#include <string_view>

#include "agent/event/file_state.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using platform::FileMetadata;
using platform::FileType;

std::string_view TypeName(FileType type) {
  switch (type) {
    case FileType::kFile:
      return "file";
    case FileType::kDirectory:
      return "folder";
    case FileType::kSymlink:
      return "link";
    case FileType::kOther:
      break;
  }
  return "special file";
}

// Disk images and databases have holes, and some file systems compress; what has less than this part of its
// length on disk was made to be long.
constexpr uint64_t kLeastStored = 16;

void Note(std::string* detail, std::string_view difference) {
  StrAppend(detail, detail->empty() ? "" : ", ", difference);
}

// A folder's count says how many folders it holds, which are told themselves.
bool LinksDiffer(const FileMetadata& before, const FileMetadata& after) {
  return before.links != after.links && after.type != FileType::kDirectory;
}

void NoteAttributes(const platform::FileAttributes& before, const platform::FileAttributes& after,
                    std::string* detail) {
  if (before == after) return;
  if (before.capabilities != after.capabilities) {
    const auto text = [](const std::string& capabilities) {
      return capabilities.empty() ? std::string("none") : capabilities;
    };
    Note(detail, StrCat("capabilities ", text(before.capabilities), " -> ", text(after.capabilities)));
  } else {
    Note(detail, before.sha256.empty()  ? "attributes or access lists came"
                 : after.sha256.empty() ? "attributes and access lists are gone"
                                        : "attributes or access lists differ");
  }
}

std::string MetadataDifferences(const FileMetadata& before, const FileMetadata& after) {
  std::string detail;
  if (before.type != after.type)
    Note(&detail, StrCat("type ", TypeName(before.type), " -> ", TypeName(after.type)));
  if (before.mode != after.mode) Note(&detail, fmt::format("mode {:04o} -> {:04o}", before.mode, after.mode));
  if (before.uid != after.uid) Note(&detail, StrCat("owner ", before.uid, " -> ", after.uid));
  if (before.gid != after.gid) Note(&detail, StrCat("group ", before.gid, " -> ", after.gid));
  if (LinksDiffer(before, after)) Note(&detail, StrCat("hard links ", before.links, " -> ", after.links));
  if (before.link_target != after.link_target) {
    Note(&detail,
         StrCat("link target ", EscapeToUtf8(before.link_target), " -> ", EscapeToUtf8(after.link_target)));
  }
  return detail;
}

bool ContentDiffers(const FileRecord& before, const FileRecord& after) {
  if (before.metadata.type != FileType::kFile || after.metadata.type != FileType::kFile) return false;
  if (before.metadata.size != after.metadata.size) return true;
  return !before.sha256.empty() && !after.sha256.empty() && before.sha256 != after.sha256;
}

v1::FileState StateOf(const FileRecord& record) {
  v1::FileState state = EventFileState(record.metadata, record.sha256);
  state.set_attributes_sha256(record.attributes.sha256);
  state.set_capabilities(record.attributes.capabilities);
  return state;
}

}  // namespace

absl::Status WorthReading(const FileMetadata& metadata) {
  if (metadata.size > kMaxReadBytes) {
    return absl::OutOfRangeError(
        StrCat("longer than ", FormatBytes(kMaxReadBytes), ": its content was not read"));
  }
  if (metadata.size > kMaxHollowBytes && metadata.stored_bytes < metadata.size / kLeastStored) {
    return absl::OutOfRangeError(
        StrCat("nearly all of its ", FormatBytes(metadata.size), " are holes: its content was not read"));
  }
  return absl::OkStatus();
}

int64_t SureChangeTime(int64_t ctime_unix_nanos, int64_t read_at_unix_nanos) {
  return ctime_unix_nanos > read_at_unix_nanos - kUnsureNanos ? 0 : ctime_unix_nanos;
}

bool LooksUntouched(const FileMetadata& before, const FileMetadata& after) {
  return before.ctime_unix_nanos != 0 && before.type == after.type && before.size == after.size &&
         before.inode == after.inode && before.mtime_unix_nanos == after.mtime_unix_nanos &&
         before.ctime_unix_nanos == after.ctime_unix_nanos;
}

bool LooksUntouched(const FileRecord& before, const FileMetadata& after) {
  const bool was_read = before.metadata.type != platform::FileType::kFile || !before.sha256.empty();
  return was_read && LooksUntouched(before.metadata, after);
}

std::optional<v1::Finding> Compare(const FileRecord& before, const FileRecord& after) {
  std::string detail = MetadataDifferences(before.metadata, after.metadata);
  NoteAttributes(before.attributes, after.attributes, &detail);
  const bool content = ContentDiffers(before, after);
  if (!content && detail.empty()) return std::nullopt;
  if (content) {
    detail = StrCat(before.metadata.size == after.metadata.size
                        ? std::string("content differs, same size")
                        : StrCat("size ", before.metadata.size, " -> ", after.metadata.size),
                    detail.empty() ? "" : ", ", detail);
  }
  v1::Finding finding;
  finding.set_kind(content ? v1::Finding::KIND_CONTENT : v1::Finding::KIND_METADATA);
  finding.set_path(EventPath(after.path));
  finding.set_detail(detail);
  *finding.mutable_before() = StateOf(before);
  *finding.mutable_after() = StateOf(after);
  return finding;
}

v1::Finding AddedFinding(const FileRecord& after) {
  v1::Finding finding;
  finding.set_kind(v1::Finding::KIND_ADDED);
  finding.set_path(EventPath(after.path));
  finding.set_detail(StrCat(TypeName(after.metadata.type), " is not in the baseline"));
  *finding.mutable_after() = StateOf(after);
  return finding;
}

v1::Finding IndicatorFinding(const FileRecord& file, const IndicatorMatch& match) {
  v1::Finding finding;
  finding.set_kind(v1::Finding::KIND_INDICATOR);
  finding.set_path(EventPath(file.path));
  finding.set_rule(match.rule);
  finding.set_detail(match.detail);
  *finding.mutable_after() = StateOf(file);
  return finding;
}

v1::Finding ScannerFinding(const std::string& path, std::string_view what) {
  v1::Finding finding;
  finding.set_kind(v1::Finding::KIND_SCANNER);
  finding.set_path(EventPath(path));
  finding.set_detail(StrCat(what, "; the file was not searched by rules"));
  return finding;
}

v1::Finding RemovedFinding(const FileRecord& before) {
  v1::Finding finding;
  finding.set_kind(v1::Finding::KIND_REMOVED);
  finding.set_path(EventPath(before.path));
  finding.set_detail(StrCat(TypeName(before.metadata.type), " is gone"));
  *finding.mutable_before() = StateOf(before);
  return finding;
}

}  // namespace cordon::agent
