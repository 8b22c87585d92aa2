#include "platform/api/file_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/linux/files/no_links.h"
#include "platform/linux/files/open_file.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;
constexpr size_t kNamesBytes = 32 * 1024;  // of a folder's names at once
constexpr uint64_t kUnsizedBytes = 1024 * 1024;
constexpr uint64_t kBlockBytes = 512;  // of st_blocks, whatever the file system's own are

absl::Status Failed(std::string_view what, const std::filesystem::path& path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, StrCat(what, " ", Printable(path.string())));
}

absl::Status LinkOnTheWay(const std::filesystem::path& path) {
  return absl::FailedPreconditionError(
      StrCat(Printable(path.string()), " is a symbolic link, or is reached by one"));
}

// File systems hold times that no count of nanoseconds has: the nearest one then.
int64_t Nanos(const timespec& time) {
  constexpr int64_t kMaxSeconds = std::numeric_limits<int64_t>::max() / kNanosPerSecond - 1;
  return std::clamp<int64_t>(time.tv_sec, -kMaxSeconds, kMaxSeconds) * kNanosPerSecond + time.tv_nsec;
}

FileType TypeOf(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kFile;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kOther;
}

FileMetadata ToMetadata(const struct stat& info) {
  return {.type = TypeOf(info.st_mode),
          .size = static_cast<uint64_t>(std::max<off_t>(info.st_size, 0)),
          .stored_bytes = static_cast<uint64_t>(std::max<blkcnt_t>(info.st_blocks, 0)) * kBlockBytes,
          .mode = info.st_mode & 07777,
          .uid = info.st_uid,
          .gid = info.st_gid,
          .mtime_unix_nanos = Nanos(info.st_mtim),
          .ctime_unix_nanos = Nanos(info.st_ctim),
          .inode = info.st_ino,
          .device = info.st_dev,
          .links = info.st_nlink,
          .link_target = {}};
}

// `parent` is for messages: a path is made for the few entries that need one. No `name`: of `folder` itself.
absl::StatusOr<FileMetadata> MetadataAt(int folder, const char* name, const std::filesystem::path& parent) {
  const auto path = [&] { return *name == '\0' ? parent : parent / name; };
  struct stat info{};
  if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0)
    return Failed("cannot stat", path());
  FileMetadata metadata = ToMetadata(info);
  if (metadata.type == FileType::kSymlink) {
    std::array<char, 4096> target{};
    const ssize_t length = readlinkat(folder, name, target.data(), target.size());
    if (length < 0) return Failed("cannot read the link", path());
    metadata.link_target.assign(target.data(), static_cast<size_t>(length));
  }
  return metadata;
}

// O_NONBLOCK: a FIFO in place of the file must not hold us. O_NOATIME is refused to those who do not own the
// file.
int OpenQuietly(const std::filesystem::path& path) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const int fd = OpenWithoutLinks(path, kFlags | O_NOATIME);
  return fd < 0 && errno == EPERM ? OpenWithoutLinks(path, kFlags) : fd;
}

struct MagicName {
  uint64_t magic;
  FilesystemKind kind;
  std::string_view name;
};

// Numbers from linux/magic.h and the file systems' own sources; those that are not in the table are local.
constexpr MagicName kFilesystems[] = {
    {0xEF53, FilesystemKind::kLocal, "ext4"},
    {0x58465342, FilesystemKind::kLocal, "xfs"},
    {0x9123683E, FilesystemKind::kLocal, "btrfs"},
    {0x01021994, FilesystemKind::kLocal, "tmpfs"},
    {0x794c7630, FilesystemKind::kLocal, "overlay"},
    {0x4d44, FilesystemKind::kLocal, "vfat"},
    {0x6969, FilesystemKind::kNetwork, "nfs"},
    {0xFF534D42, FilesystemKind::kNetwork, "cifs"},
    {0xFE534D42, FilesystemKind::kNetwork, "smb3"},
    {0x517B, FilesystemKind::kNetwork, "smb"},
    {0x5346414F, FilesystemKind::kNetwork, "afs"},
    {0x00C36400, FilesystemKind::kNetwork, "ceph"},
    {0x01021997, FilesystemKind::kNetwork, "9p"},
    {0x65735546, FilesystemKind::kNetwork, "fuse"},
    {0x9fa0, FilesystemKind::kKernel, "proc"},
    {0x62656572, FilesystemKind::kKernel, "sysfs"},
    {0x1cd1, FilesystemKind::kKernel, "devpts"},
    {0x27e0eb, FilesystemKind::kKernel, "cgroup"},
    {0x63677270, FilesystemKind::kKernel, "cgroup2"},
    {0x64626720, FilesystemKind::kKernel, "debugfs"},
    {0x74726163, FilesystemKind::kKernel, "tracefs"},
    {0xcafe4a11, FilesystemKind::kKernel, "bpf"},
    {0x73636673, FilesystemKind::kKernel, "securityfs"},
    {0x62656570, FilesystemKind::kKernel, "configfs"},
    {0x6165676C, FilesystemKind::kKernel, "pstore"},
    {0xde5e81e4, FilesystemKind::kKernel, "efivarfs"},
    {0x19800202, FilesystemKind::kKernel, "mqueue"},
    {0x0187, FilesystemKind::kKernel, "autofs"},
};

// As `visit`, which is not called with what is no entry.
bool VisitName(int folder, const char* name, const std::filesystem::path& parent,
               const std::function<bool(FolderEntry)>& visit) {
  const std::string_view text = name;
  if (text == "." || text == "..") return true;
  absl::StatusOr<FileMetadata> metadata = MetadataAt(folder, name, parent);
  if (absl::IsNotFound(metadata.status())) return true;  // gone since the folder was read
  FolderEntry found{.name = std::string(text), .status = metadata.status(), .metadata = {}};
  if (metadata.ok()) found.metadata = *std::move(metadata);
  return visit(std::move(found));
}

}  // namespace

absl::StatusOr<FileMetadata> ReadFileMetadata(const std::filesystem::path& path) {
  const Fd fd(OpenWithoutLinks(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.Valid() && errno == ELOOP) return LinkOnTheWay(path);
  if (!fd.Valid()) return Failed("cannot stat", path);
  return MetadataAt(fd.Get(), "", path);
}

OpenFile::~OpenFile() {
  if (handle_ != kNone) close(static_cast<int>(handle_));
}

absl::StatusOr<OpenFile> OpenForReading(std::filesystem::path path) {
  const int fd = OpenQuietly(path);
  if (fd < 0 && errno == ELOOP) {
    return LinkOnTheWay(path);
  }
  if (fd < 0 && errno == EAGAIN) {
    return absl::AbortedError(StrCat("another program holds a lease on ", Printable(path.string())));
  }
  if (fd < 0) return Failed("cannot open", path);
  return TakeOpenFile(Fd(fd), std::move(path));
}

absl::StatusOr<OpenFile> TakeOpenFile(Fd fd, std::filesystem::path path) {
  struct stat info{};
  if (fstat(fd.Get(), &info) != 0) return Failed("cannot stat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(StrCat(Printable(path.string()), " is no regular file"));
  }
  return OpenFile(fd.Release(), std::move(path), ToMetadata(info));
}

namespace {

// As HashOpenFile, which has the digests.
template <typename Add>
absl::Status ReadPieces(const OpenFile& file, uint64_t max_bytes, const std::function<bool()>& keep_going,
                        const std::function<void(uint64_t)>& count, const Add& add) {
  const auto too_long = [&] { return absl::OutOfRangeError(StrCat("longer than ", FormatBytes(max_bytes))); };
  if (file.Metadata().size > max_bytes) return too_long();
  // One buffer per thread: a scan hashes hundreds of thousands of small files. What no file has filled takes
  // no memory.
  thread_local const auto piece = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  const uint64_t end = file.Metadata().size > 0 ? file.Metadata().size : kUnsizedBytes;
  uint64_t total = 0;
  while (total < end) {
    if (!keep_going()) {
      return absl::CancelledError(StrCat("stopped reading ", Printable(file.Path().string())));
    }
    const size_t room = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, end - total));
    const ssize_t got = pread(static_cast<int>(file.Get()), piece.get(), room, static_cast<off_t>(total));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("cannot read", file.Path());
    if (got == 0) break;
    total += static_cast<uint64_t>(got);
    if (total > max_bytes) return too_long();
    add(std::string_view(piece.get(), static_cast<size_t>(got)));
    if (count) count(static_cast<uint64_t>(got));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Digests> HashOpenFile(const OpenFile& file, const HashOptions& options,
                                     const std::function<bool()>& keep_going,
                                     const std::function<void(uint64_t)>& count) {
  thread_local Sha256Stream sha256;  // to make one takes as long as to hash a short file
  std::optional<Md5Stream> md5;
  if (options.md5) md5.emplace();
  const absl::Status read =
      ReadPieces(file, options.max_bytes, keep_going, count, [&](std::string_view bytes) {
        sha256.Update(bytes);
        if (md5) md5->Update(bytes);
      });
  // In any case: what was read of a file that failed must not be in the next one's digest.
  std::string digest = sha256.Finish();
  CORDON_RETURN_IF_ERROR(read);
  return Digests{.sha256 = std::move(digest), .md5 = md5 ? md5->Finish() : std::string()};
}

absl::StatusOr<std::string> ReadFileHead(const OpenFile& file, size_t bytes) {
  std::string head(bytes, '\0');
  size_t have = 0;
  while (have < bytes) {
    const ssize_t got =
        pread(static_cast<int>(file.Get()), head.data() + have, bytes - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("cannot read", file.Path());
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  head.resize(have);
  return head;
}

absl::StatusOr<HashedFile> HashFile(const std::filesystem::path& path, uint64_t max_bytes,
                                    const std::function<bool()>& keep_going,
                                    const std::function<void(uint64_t)>& count) {
  CORDON_ASSIGN_OR_RETURN(const OpenFile file, OpenForReading(path));
  CORDON_ASSIGN_OR_RETURN(Digests digests, HashOpenFile(file, {.max_bytes = max_bytes}, keep_going, count));
  return HashedFile{.metadata = file.Metadata(), .sha256 = std::move(digests.sha256)};
}

absl::Status ReadFolder(const std::filesystem::path& folder, const std::function<bool(FolderEntry)>& visit) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = OpenWithoutLinks(folder, kFlags | O_NOATIME);
  if (fd < 0 && errno == EPERM) fd = OpenWithoutLinks(folder, kFlags);
  if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
    return absl::FailedPreconditionError(StrCat(Printable(folder.string()), " is no folder"));
  }
  if (fd < 0) return Failed("cannot open the folder", folder);
  const Fd own(fd);
  // Without a stream (opendir), which costs two system calls more and memory of its own.
  alignas(dirent64) std::array<char, kNamesBytes> names;
  while (true) {
    const ssize_t got = getdents64(fd, names.data(), names.size());
    if (got == 0 || (got < 0 && errno == ENOENT)) return absl::OkStatus();  // removed: it has no more names
    if (got < 0) return Failed("cannot read the folder", folder);
    for (size_t at = 0; at < static_cast<size_t>(got);) {
      const auto* const entry = reinterpret_cast<const dirent64*>(names.data() + at);
      at += entry->d_reclen;
      if (!VisitName(fd, entry->d_name, folder, visit)) return absl::OkStatus();
    }
  }
}

absl::StatusOr<Filesystem> ReadFilesystem(const std::filesystem::path& path) {
  struct statfs info{};
  if (statfs(path.c_str(), &info) != 0) return Failed("cannot tell the file system of", path);
  // devtmpfs has the number of tmpfs; its place tells them apart.
  const std::string text = path.string();
  if ((text == "/dev" || text.starts_with("/dev/")) && !text.starts_with("/dev/shm")) {
    return Filesystem{.kind = FilesystemKind::kKernel, .name = "devtmpfs"};
  }
  const auto magic = static_cast<uint64_t>(info.f_type) & 0xffffffff;
  const auto* found = std::ranges::find(kFilesystems, magic, &MagicName::magic);
  if (found == std::ranges::end(kFilesystems)) {
    return Filesystem{.kind = FilesystemKind::kLocal, .name = fmt::format("0x{:x}", magic)};
  }
  return Filesystem{
      .kind = found->kind, .name = std::string(found->name), .in_memory = found->name == "tmpfs"};
}

}  // namespace cordon::platform
