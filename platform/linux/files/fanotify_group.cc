#include "platform/linux/files/fanotify_group.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::platform {
namespace {

constexpr int kHandleIdOnly = 0x200;  // AT_HANDLE_FID, Linux 6.5: file systems whose handles cannot be opened

struct HandleBuffer {
  alignas(file_handle) std::array<char, sizeof(file_handle) + kMaxHandleBytes> bytes{};
  file_handle* Get() { return reinterpret_cast<file_handle*>(bytes.data()); }
};

}  // namespace

absl::StatusOr<FanotifyGroup> FanotifyGroup::Open(bool reads) {
  constexpr unsigned kBase = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK;
  constexpr unsigned kEventFlags = O_RDONLY | O_CLOEXEC | O_LARGEFILE;
  Fd full(fanotify_init(kBase | FAN_REPORT_DFID_NAME_TARGET, kEventFlags));
  if (full.Valid()) return FanotifyGroup(std::move(full), true, reads);
  Fd plain(errno == EINVAL ? fanotify_init(kBase | FAN_REPORT_DFID_NAME, kEventFlags) : -1);
  if (plain.Valid()) return FanotifyGroup(std::move(plain), false, reads);
  switch (errno) {
    case EPERM:
      return absl::PermissionDeniedError("watching files needs root (CAP_SYS_ADMIN)");
    case EINVAL:
    case ENOSYS:
      return absl::UnimplementedError("this kernel has no fanotify with names (Linux 5.9 and later has)");
    default:
      return absl::ErrnoToStatus(errno, "cannot start fanotify (fs.fanotify.max_user_groups reached?)");
  }
}

uint64_t FanotifyGroup::Mask() const {
  const uint64_t renames = tells_renames_ ? FAN_RENAME : FAN_MOVED_FROM | FAN_MOVED_TO;
  if (reads_) return FAN_ACCESS | FAN_CLOSE_NOWRITE | FAN_CREATE | FAN_DELETE | FAN_ONDIR | renames;
  return FAN_CREATE | FAN_DELETE | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR | renames;
}

absl::Status FanotifyGroup::MarkFilesystem(const Fd& folder, const std::filesystem::path& path) const {
  if (fanotify_mark(Get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, Mask(), folder.Get(), nullptr) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  const std::string what = StrCat("cannot watch the file system of ", Printable(path.string()));
  const bool unable = error == EOPNOTSUPP || error == ENODEV || error == EXDEV || error == EINVAL;
  if (unable) return absl::UnimplementedError(StrCat(what, ": ", std::strerror(error)));
  return absl::ErrnoToStatus(error, what);
}

absl::Status FanotifyGroup::MarkFolder(const Fd& folder, const std::filesystem::path& path) const {
  constexpr unsigned kFlags = FAN_MARK_ADD | FAN_MARK_ONLYDIR;
  if (fanotify_mark(Get(), kFlags, Mask() | FAN_EVENT_ON_CHILD, folder.Get(), nullptr) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  if (error == ENOSPC) {
    return absl::ResourceExhaustedError(
        StrCat("too many folders to watch at ", Printable(path.string()),
               ": watch less, or raise fs.fanotify.max_user_marks (Linux) for the agent"));
  }
  return absl::ErrnoToStatus(error, StrCat("cannot watch ", Printable(path.string())));
}

absl::StatusOr<std::string> KeyOfFolder(const Fd& folder, const std::filesystem::path& path) {
  struct statfs info{};
  if (fstatfs(folder.Get(), &info) != 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error, StrCat("cannot tell the file system of ", Printable(path.string())));
  }
  static_assert(sizeof(info.f_fsid) == kFsidBytes);
  std::string key(reinterpret_cast<const char*>(&info.f_fsid), kFsidBytes);
  HandleBuffer handle;
  int mount_id = 0;
  for (const int flags : {0, kHandleIdOnly}) {
    handle.Get()->handle_bytes = kMaxHandleBytes;
    if (name_to_handle_at(folder.Get(), "", handle.Get(), &mount_id, flags | AT_EMPTY_PATH) == 0) {
      key.append(handle.bytes.data(), sizeof(file_handle) + handle.Get()->handle_bytes);
      return key;
    }
    if (errno != EOPNOTSUPP) break;
  }
  const int error = errno;
  return absl::ErrnoToStatus(error,
                             StrCat("the file system of ", Printable(path.string()), " has no file handles"));
}

absl::StatusOr<std::string> PathOfFolder(HandleKey key, const std::filesystem::path& on_mount) {
  HandleBuffer handle;
  if (key.size() < kFsidBytes + sizeof(file_handle) || key.size() - kFsidBytes > handle.bytes.size()) {
    return absl::InvalidArgumentError("not a file handle");
  }
  std::memcpy(handle.bytes.data(), key.data() + kFsidBytes, key.size() - kFsidBytes);
  // Opened for this one call: a descriptor that is kept would keep the file system from being unmounted.
  const Fd mount(open(on_mount.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!mount.Valid()) return absl::ErrnoToStatus(errno, StrCat("cannot open ", Printable(on_mount.string())));
  const Fd folder(open_by_handle_at(mount.Get(), handle.Get(), O_PATH | O_CLOEXEC));
  if (!folder.Valid() && errno == ESTALE) return absl::NotFoundError("deleted");
  if (!folder.Valid()) return absl::ErrnoToStatus(errno, "cannot open a file handle");
  std::array<char, 4096> path{};
  const ssize_t length = readlink(StrCat("/proc/self/fd/", folder.Get()).c_str(), path.data(), path.size());
  if (length < 0 && errno == ENAMETOOLONG) return absl::OutOfRangeError("deeper than a path can say");
  if (length <= 0) return absl::ErrnoToStatus(errno, "cannot read /proc/self/fd");
  std::string text(path.data(), static_cast<size_t>(length));
  struct stat info{};
  constexpr std::string_view kDeleted = " (deleted)";
  if (fstat(folder.Get(), &info) == 0 && info.st_nlink == 0 && text.ends_with(kDeleted)) {
    text.resize(text.size() - kDeleted.size());
  }
  return text;
}

}  // namespace cordon::platform
