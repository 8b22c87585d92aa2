#pragma once

// Reading files and folders as they are: links are never followed, reading blocks on no pipe or device, and
// leaves no trace (access times). On Linux that goes for every part of a path: who has one that may lead over
// links, of a setting for instance, resolves it first (TruePath in common/base/paths.h).

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <utility>

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
  uint64_t stored_bytes = std::numeric_limits<uint64_t>::max();  // without its holes; the most: not known
  uint32_t mode = 0;  // permission bits; on Windows the file attributes
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime_unix_nanos = 0;
  // Change of metadata or content; cannot be set by programs. 0: not known. A program that has the file
  // mapped for writing can change it for some half a minute without another time, and in memory (Filesystem)
  // for ever.
  int64_t ctime_unix_nanos = 0;
  uint64_t inode = 0;
  uint64_t device = 0;
  uint64_t links = 1;       // hard links
  std::string link_target;  // of a symlink
};

// Of a link itself. NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION when a folder on the way is a link,
// UNAVAILABLE for other failures of the system.
absl::StatusOr<FileMetadata> ReadFileMetadata(const std::filesystem::path& path);

// A regular file that is open for reading. Moves, and closes itself.
class OpenFile {
 public:
  using Handle = std::intptr_t;  // a descriptor; on Windows a HANDLE

  OpenFile(Handle handle, std::filesystem::path path, FileMetadata metadata)
      : handle_(handle), path_(std::move(path)), metadata_(std::move(metadata)) {}
  OpenFile(OpenFile&& other) noexcept
      : handle_(std::exchange(other.handle_, kNone)),
        path_(std::move(other.path_)),
        metadata_(std::move(other.metadata_)) {}
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile();

  Handle Get() const { return handle_; }
  const std::filesystem::path& Path() const { return path_; }  // it was opened by
  const FileMetadata& Metadata() const { return metadata_; }   // when it was opened

 private:
  static constexpr Handle kNone = -1;
  Handle handle_;
  std::filesystem::path path_;
  FileMetadata metadata_;
};

// FAILED_PRECONDITION when it is no regular file; ABORTED while another program keeps others out by a lease,
// who is asked by that to let go: look again; else as ReadFileMetadata.
absl::StatusOr<OpenFile> OpenForReading(std::filesystem::path path);

// What a system keeps beside a file's content and metadata: extended attributes, access control lists,
// capabilities.
struct FileAttributes {
  std::string sha256;        // over all of them, by name; empty: there are none
  std::string capabilities;  // of a program's file, as getcap prints them; empty: none
  friend bool operator==(const FileAttributes&, const FileAttributes&) = default;
};

// Errors as ReadFileMetadata. A file system without attributes has none.
absl::StatusOr<FileAttributes> ReadAttributes(const std::filesystem::path& path);  // of a link itself
absl::StatusOr<FileAttributes> ReadAttributes(const OpenFile& file);

struct Digests {
  std::string sha256;  // 32 bytes
  std::string md5;     // 16 bytes, when it was asked for
};

struct HashOptions {
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
  bool md5 = false;
};

// Reads the file from its beginning up to Metadata().size, so that one that grows meanwhile has an end, and
// the digest is that of the size that is told. A file of size 0 is read up to 1 MiB: some file systems tell
// no sizes. Asks, counts and fails as HashFile. Thread-safe.
absl::StatusOr<Digests> HashOpenFile(const OpenFile& file, const HashOptions& options,
                                     const std::function<bool()>& keep_going,
                                     const std::function<void(uint64_t)>& count = {});

// The first `bytes` of the file, fewer when it is shorter.
absl::StatusOr<std::string> ReadFileHead(const OpenFile& file, size_t bytes);

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
  std::string name;        // "ext4", or the number of its type
  bool in_memory = false;  // on no disk: changes by mappings leave no sign
};

absl::StatusOr<Filesystem> ReadFilesystem(const std::filesystem::path& path);

}  // namespace cordon::platform
