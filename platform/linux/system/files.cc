#include "platform/api/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/linux/files/no_links.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

absl::Status Failed(std::string_view what, const std::filesystem::path& path) {
  return absl::ErrnoToStatus(errno, StrCat(what, " ", path.string()));
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::filesystem::path& folder) {
  const Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.Valid() || fsync(fd.Get()) != 0) return Failed("cannot sync the folder", folder);
  return absl::OkStatus();
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
  return SyncFolder(folder);
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
  const Fd at(OpenWithoutLinks(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at.Valid() && errno == ELOOP) {
    return absl::FailedPreconditionError(StrCat(folder.string(), ": a part of the way is a symbolic link"));
  }
  struct stat owner{};
  if (!at.Valid() || fstat(at.Get(), &owner) != 0) return Failed("cannot open the folder", folder);
  const Fd fd(openat(at.Get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.Valid()) return Failed("cannot make", folder / name);
  absl::Status status = WriteAll(fd.Get(), bytes, folder / name);
  if (status.ok() && (fchmod(fd.Get(), 0644) != 0 || fchown(fd.Get(), owner.st_uid, owner.st_gid) != 0)) {
    status = Failed("cannot set owner and mode of", folder / name);
  }
  if (!status.ok()) unlinkat(at.Get(), name.c_str(), 0);
  return status;
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

absl::StatusOr<std::unique_ptr<FileLock>> LockFile(const std::filesystem::path& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.Valid()) return Failed("cannot open", path);
  if (flock(fd.Get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return absl::AlreadyExistsError(StrCat(path.string(), " is locked by another process"));
    return Failed("cannot lock", path);
  }
  return std::make_unique<FlockLock>(std::move(fd));
}

}  // namespace cordon::platform
