#include "platform/api/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/linux/files/no_links.h"
#include "platform/linux/system/fd.h"
#include "platform/linux/system/file_io.h"

namespace cordon::platform {
namespace {

// While it lives, what this thread does to files is done by the folder's owner: the unit leaves root no right
// to write to folders of others, or to give files away (no CAP_DAC_OVERRIDE, no CAP_CHOWN).
class AsOwner {
 public:
  explicit AsOwner(const struct stat& folder)
      : group_(static_cast<gid_t>(setfsgid(folder.st_gid))),
        user_(static_cast<uid_t>(setfsuid(folder.st_uid))),
        // They tell no error, but what was set before: -1 is nobody's and changes nothing.
        became_(static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))) == folder.st_gid &&
                static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) == folder.st_uid) {}
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;
  ~AsOwner() {
    setfsuid(user_);
    setfsgid(group_);
  }
  bool Became() const { return became_; }

 private:
  const gid_t group_;
  const uid_t user_;
  const bool became_;
};

absl::StatusOr<Fd> OpenFolder(const std::filesystem::path& folder, struct stat* info) {
  Fd at(OpenWithoutLinks(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.Valid() && errno == ELOOP) {
    return absl::FailedPreconditionError(StrCat(folder.string(), ": a part of the way is a symbolic link"));
  }
  if (!at.Valid() || fstat(at.Get(), info) != 0) return Failed("cannot open the folder", folder);
  return at;
}

absl::Status CannotBecome(const std::filesystem::path& folder) {
  return absl::PermissionDeniedError(
      StrCat("cannot act as the owner of ", folder.string(), " (needs CAP_SETUID and CAP_SETGID)"));
}

class FlockLock final : public FileLock {
 public:
  explicit FlockLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;
};

}  // namespace

absl::Status WriteFileDurably(const std::filesystem::path& path, std::string_view bytes, FileAccess access) {
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  // Before anything is changed: without descriptors nothing is.
  const Fd at(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.Valid()) return Failed("cannot open the folder", folder);
  std::string beside = (folder / StrCat(".", path.filename().string(), ".XXXXXX")).string();
  const Fd fd(mkostemp(beside.data(), O_CLOEXEC));  // made with mode 0600
  if (!fd.Valid()) return Failed("cannot make a file in", folder);
  absl::Status status = WriteAll(fd.Get(), bytes, path);
  if (status.ok() && access == FileAccess::kEveryoneReads && fchmod(fd.Get(), 0644) != 0) {
    status = Failed("cannot set the mode of", path);
  }
  if (status.ok() && fsync(fd.Get()) != 0) status = Failed("cannot sync", path);
  if (status.ok() && rename(beside.c_str(), path.c_str()) != 0) status = Failed("cannot replace", path);
  if (!status.ok()) {
    unlink(beside.c_str());
    return status;
  }
  if (fsync(at.Get()) == 0) return absl::OkStatus();
  return absl::DataLossError(StrCat(Message(Failed("written, and not known to outlive a power cut:", path))));
}

size_t SweepUnfinishedFiles(const std::filesystem::path& folder) {
  constexpr std::chrono::minutes kAtWork(1);
  constexpr size_t kEnding = 7;  // ".XXXXXX"
  size_t swept = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.size() <= kEnding + 1 || name.front() != '.' || name[name.size() - kEnding] != '.') continue;
    std::error_code gone;
    if (!at->is_regular_file(gone) || at->is_symlink(gone)) continue;
    const auto written = std::filesystem::last_write_time(at->path(), gone);
    if (gone || std::filesystem::file_time_type::clock::now() - written < kAtWork) continue;
    if (std::filesystem::remove(at->path(), gone)) ++swept;
  }
  return swept;
}

absl::Status Overwrite(const std::filesystem::path& path, uint64_t offset, std::string_view bytes,
                       Flush flush) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!fd.Valid() || fstat(fd.Get(), &info) != 0) return Failed("cannot open", path);
  const auto size = static_cast<uint64_t>(info.st_size);
  if (offset > size || bytes.size() > size - offset) {
    return absl::OutOfRangeError(StrCat(path.string(), " ends before what is to be written"));
  }
  if (lseek(fd.Get(), static_cast<off_t>(offset), SEEK_SET) < 0) return Failed("cannot write", path);
  CORDON_RETURN_IF_ERROR(WriteAll(fd.Get(), bytes, path));
  if (flush == Flush::kNow && fdatasync(fd.Get()) != 0) return Failed("cannot sync", path);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFileBounded(const std::filesystem::path& path, size_t max_bytes) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.Valid()) return Failed("cannot open", path);
  std::string bytes;
  constexpr size_t kStep = 64 * 1024;
  while (true) {
    const size_t have = bytes.size();
    bytes.resize(have + kStep);
    const ssize_t got = read(fd.Get(), bytes.data() + have, kStep);
    if (got < 0 && errno == EINTR) {
      bytes.resize(have);
      continue;
    }
    if (got < 0) return Failed("cannot read", path);
    bytes.resize(have + static_cast<size_t>(got));
    if (bytes.size() > max_bytes) {
      return absl::OutOfRangeError(StrCat(path.string(), " is longer than ", max_bytes, " bytes"));
    }
    if (got == 0) return bytes;
  }
}

absl::Status MakeFileOfFolderOwner(const std::filesystem::path& folder, const std::string& name,
                                   std::string_view bytes) {
  struct stat info{};
  CORDON_ASSIGN_OR_RETURN(const Fd at, OpenFolder(folder, &info));
  const AsOwner owner(info);
  if (!owner.Became()) return CannotBecome(folder);
  const Fd fd(openat(at.Get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.Valid()) return Failed("cannot make", folder / name);
  absl::Status status = WriteAll(fd.Get(), bytes, folder / name);
  if (status.ok() && fchmod(fd.Get(), 0644) != 0) status = Failed("cannot set the mode of", folder / name);
  if (!status.ok()) unlinkat(at.Get(), name.c_str(), 0);
  return status;
}

absl::Status RemoveFileOfFolderOwner(const std::filesystem::path& folder, const std::string& name) {
  struct stat info{};
  const absl::StatusOr<Fd> at = OpenFolder(folder, &info);
  if (absl::IsNotFound(at.status())) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(at.status());
  const AsOwner owner(info);
  if (!owner.Became()) return CannotBecome(folder);
  if (unlinkat(at->Get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return Failed("cannot remove", folder / name);
  return absl::OkStatus();
}

absl::Status MakePrivateFolder(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error)
    return absl::UnavailableError(
        StrCat("cannot make the folder ", path.parent_path().string(), ": ", error.message()));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Failed("cannot make the folder", path);
  if (chmod(path.c_str(), 0700) != 0) return Failed("cannot set the mode of", path);
  return absl::OkStatus();
}

absl::Status CheckSettingsFile(const std::filesystem::path& path) {
  // /etc is root's alone.
  return access(path.c_str(), F_OK) == 0 ? absl::OkStatus() : Failed("cannot open", path);
}

absl::StatusOr<std::unique_ptr<FileLock>> LockFile(const std::filesystem::path& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  // Who had the lock when a file system became read-only still has it.
  if (!fd.Valid() && errno == EROFS) fd = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.Valid()) return Failed("cannot open", path);
  if (flock(fd.Get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return absl::AlreadyExistsError(StrCat(path.string(), " is locked by another process"));
    return Failed("cannot lock", path);
  }
  return std::make_unique<FlockLock>(std::move(fd));
}

}  // namespace cordon::platform
