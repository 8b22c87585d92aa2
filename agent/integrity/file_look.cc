#include "agent/integrity/file_look.h"

#include <chrono>
#include <string>
#include <thread>

#include "agent/event/file_state.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/file_names.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {
namespace {

// Most who hold a lease let go at once when they are asked.
constexpr auto kLeaseWait = std::chrono::milliseconds(20);

void Hash(const platform::OpenFile& file, const LookOptions& options, FoundFile* found) {
  const absl::StatusOr<platform::Digests> hashed =
      platform::HashOpenFile(file, {.max_bytes = options.max_hash_bytes}, options.keep_going);
  found->state = EventFileState(file.Metadata(), hashed.ok() ? hashed->sha256 : "");
  found->hash_skipped = hashed.ok()                          ? ""
                        : absl::IsCancelled(hashed.status()) ? "the agent was stopping"
                                                             : std::string(Message(hashed.status()));
}

// Fails when the file cannot be opened.
absl::Status HashByPath(const std::filesystem::path& path, const LookOptions& options, FoundFile* found) {
  CORDON_ASSIGN_OR_RETURN(const platform::OpenFile file, platform::OpenForReading(path));
  Hash(file, options, found);
  return absl::OkStatus();
}

void ReadContent(const std::filesystem::path& path, const LookOptions& options, FoundFile* found) {
  const absl::StatusOr<platform::OpenFile> file = platform::OpenForReading(path);
  if (!file.ok()) {
    found->hash_skipped = std::string(Message(file.status()));
    found->hash_later = absl::IsAborted(file.status());  // by a lease, whose holder was asked to let go
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
  absl::Status opened = HashByPath(path, options, found);
  if (absl::IsAborted(opened)) {
    std::this_thread::sleep_for(kLeaseWait);
    opened = HashByPath(path, options, found);
  }
  if (opened.ok()) return;
  found->hash_skipped = absl::IsNotFound(opened) ? "gone before it was hashed" : std::string(Message(opened));
}

}  // namespace cordon::agent
