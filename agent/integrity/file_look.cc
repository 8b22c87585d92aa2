#include "agent/integrity/file_look.h"

#include <string>

#include "agent/event/file_state.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/file_names.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {
namespace {

void Hash(const platform::OpenFile& file, const LookOptions& options, FoundFile* found) {
  const absl::StatusOr<platform::Digests> hashed =
      platform::HashOpenFile(file, {.max_bytes = options.max_hash_bytes}, options.keep_going);
  found->state = EventFileState(file.Metadata(), hashed.ok() ? hashed->sha256 : "");
  found->hash_skipped = hashed.ok()                          ? ""
                        : absl::IsCancelled(hashed.status()) ? "the agent was stopping"
                                                             : std::string(Message(hashed.status()));
}

void ReadContent(const std::filesystem::path& path, const LookOptions& options, FoundFile* found) {
  const absl::StatusOr<platform::OpenFile> file = platform::OpenForReading(path);
  if (!file.ok()) {
    found->hash_skipped = std::string(Message(file.status()));
    return;
  }
  const uint64_t size = file->Metadata().size;
  found->hash_later = size > kLongFileBytes && size <= options.max_hash_bytes;
  if (!found->hash_later) Hash(*file, options, found);
  if (!options.judge) return;
  const absl::StatusOr<std::string> head = platform::ReadFileHead(*file, kContentSample);
  if (head.ok()) found->content = JudgeContent(*head);
}

}  // namespace

FoundFile LookAt(const SettledPath& settled, const LookOptions& options) {
  if (settled.registry != nullptr) return FoundInRegistry(*settled.registry);
  FoundFile found;
  const absl::StatusOr<platform::FileMetadata> metadata = platform::ReadFileMetadata(settled.path);
  if (!metadata.ok()) {
    found.hash_skipped =
        !absl::IsNotFound(metadata.status()) ? std::string(Message(metadata.status()))
        : settled.moved_to.empty()
            ? "gone before it settled"
            : StrCat("moved to ", platform::NameBytes(settled.moved_to), " before it settled");
    return found;
  }
  found.exists = true;
  found.state = EventFileState(*metadata, "");
  if (metadata->type == platform::FileType::kFile && !settled.only_read) {
    ReadContent(settled.path, options, &found);
  }
  return found;
}

void HashFound(const std::filesystem::path& path, const LookOptions& options, FoundFile* found) {
  found->hash_later = false;
  const absl::StatusOr<platform::OpenFile> file = platform::OpenForReading(path);
  if (file.ok()) {
    Hash(*file, options, found);
  } else {
    found->hash_skipped =
        absl::IsNotFound(file.status()) ? "gone before it was hashed" : std::string(Message(file.status()));
  }
}

}  // namespace cordon::agent
