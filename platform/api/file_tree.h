#pragma once

// Reading files and folders as they are: links are never followed, reading blocks on no pipe or device, and
// leaves no trace (access times).

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace cordon::platform {

enum class FileType : uint8_t {
  kFile = 1,
  kDirectory = 2,
  kSymlink = 3,
  kOther = 4
};  // as v1::FileState::Type

struct FileMetadata {
  FileType type = FileType::kOther;
  uint64_t size = 0;
  uint32_t mode = 0;  // permission bits; on Windows the file attributes
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime_unix_nanos = 0;
  int64_t ctime_unix_nanos = 0;  // change of metadata or content; cannot be set by programs
  uint64_t inode = 0;
  uint64_t device = 0;
  std::string link_target;  // of a symlink
};

// NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE for other failures of the system.
absl::StatusOr<FileMetadata> ReadFileMetadata(const std::filesystem::path& path);

struct HashedFile {
  FileMetadata metadata;  // of the very file that was read
  std::string sha256;     // 32 bytes
};

// Metadata and, for a regular file, its SHA-256. `keep_going` is asked before every piece of at most 256 KiB;
// when it says no: CANCELLED. `count` (may be empty) is told how many bytes each piece had.
// FAILED_PRECONDITION when it is no regular file, OUT_OF_RANGE when it is longer than max_bytes; else as
// ReadFileMetadata. Thread-safe.
absl::StatusOr<HashedFile> HashFile(const std::filesystem::path& path, uint64_t max_bytes,
                                    const std::function<bool()>& keep_going,
                                    const std::function<void(uint64_t)>& count = {});

// The first `bytes` of a regular file, fewer when it is shorter. Errors as HashFile.
absl::StatusOr<std::string> ReadFileHead(const std::filesystem::path& path, size_t bytes);

struct FolderEntry {
  std::string name;     // bytes as the system has them
  absl::Status status;  // why `metadata` could not be read
  FileMetadata metadata;
};

// Calls `visit` with every entry of the folder, in no order, until it returns false. Entries that vanish
// meanwhile are left out. Errors as ReadFileMetadata, FAILED_PRECONDITION when `folder` is none (a link to
// one is none either).
absl::Status ReadFolder(const std::filesystem::path& folder, const std::function<bool(FolderEntry)>& visit);

enum class FilesystemKind {
  kLocal,
  kNetwork,  // content is elsewhere: NFS, SMB, …
  kKernel,   // no files at all: /proc, /sys, /dev, …
};

struct Filesystem {
  FilesystemKind kind = FilesystemKind::kLocal;
  std::string name;  // "ext4", or the number of its type
};

absl::StatusOr<Filesystem> ReadFilesystem(const std::filesystem::path& path);

}  // namespace cordon::platform
