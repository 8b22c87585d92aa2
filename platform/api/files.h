#pragma once

// Files whose loss matters.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace cordon::platform {

enum class FileAccess { kOwnerOnly, kEveryoneReads };

// Replaces `path` by `bytes` so that after a power cut it holds either the old or the new content, whole:
// write beside it, sync, rename, sync the folder. The file never has wider access than asked, at no moment.
// On an error it holds the old content, but for DATA_LOSS: then it holds the new one, which may not outlive a
// power cut.
absl::Status WriteFileDurably(const std::filesystem::path& path, std::string_view bytes, FileAccess access);

enum class Flush { kNow, kLater };

// Writes over a part of a file that is there, in place; nothing else of it changes, its length neither
// (OUT_OF_RANGE when it would), and no link is followed. With Flush::kNow it is on the disk when this
// returns, for much less than WriteFileDurably takes where a file system keeps a journal. After a power cut
// meanwhile the part may hold any mixture of old and new.
absl::Status Overwrite(const std::filesystem::path& path, uint64_t offset, std::string_view bytes,
                       Flush flush);

// Removes what writers that were killed have left beside their files in `folder`: files as WriteFileDurably
// makes them, older than a minute, so that none of a writer at work is among them. How many; what cannot be
// removed stays.
size_t SweepUnfinishedFiles(const std::filesystem::path& folder);

// The whole file. NOT_FOUND, PERMISSION_DENIED, or OUT_OF_RANGE when it is longer than max_bytes.
absl::StatusOr<std::string> ReadFileBounded(const std::filesystem::path& path, size_t max_bytes);

// Makes `name` in `folder` with this content, readable by everyone, owned by whoever owns the folder. For
// folders that belong to others: no link is followed on the way, and what is there already stays
// (ALREADY_EXISTS). NOT_FOUND when there is no such folder, FAILED_PRECONDITION when a part of the way is a
// symbolic link.
absl::Status MakeFileOfFolderOwner(const std::filesystem::path& folder, const std::string& name,
                                   std::string_view bytes);
// Removes such a file again, with the same errors; OK when it or its folder is gone.
absl::Status RemoveFileOfFolderOwner(const std::filesystem::path& folder, const std::string& name);

// Makes the folder and its parents; the last one readable by its owner only.
absl::Status MakePrivateFolder(const std::filesystem::path& path);

// Whether settings may be read from there: on Windows, where every user can make a folder in the place of a
// missing one, no link and nothing that belongs to somebody else than the system, administrators or the
// caller (FAILED_PRECONDITION). NOT_FOUND when there is none.
absl::Status CheckSettingsFile(const std::filesystem::path& path);

// Holds a lock on `path` for as long as the returned handle lives. ALREADY_EXISTS when another process has
// it. The file is made where it is missing; on Linux, one that is there needs no disk that can be written to.
class FileLock {
 public:
  virtual ~FileLock() = default;
};
absl::StatusOr<std::unique_ptr<FileLock>> LockFile(const std::filesystem::path& path);

}  // namespace cordon::platform
