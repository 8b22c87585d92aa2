#include "platform/linux/programs/executables.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/files.h"
#include "platform/linux/programs/mounts.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxProcFile = 16U << 20;

absl::Status CannotRead(const std::string& path) {
  const std::string why =
      StrCat("cannot read ", Printable(path), ": ", std::system_category().message(errno));
  return errno == ENOENT || errno == ENOTDIR
             ? absl::NotFoundError(StrCat("there is no file ", Printable(path)))
             : absl::FailedPreconditionError(why);
}

bool Same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

absl::StatusOr<std::string> HashOf(int fd, const std::string& path) {
  Sha256Stream stream;
  std::array<char, 65'536> piece;
  while (true) {
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CannotRead(path);
    if (got == 0) return stream.Finish();
    stream.Update({piece.data(), static_cast<size_t>(got)});
  }
}

// st_dev and st_ino are what the file system shows; the kernel side sees the superblock and the inode.
absl::StatusOr<cordon_executable> KeyOf(int fd, const struct stat& facts) {
  CORDON_ASSIGN_OR_RETURN(const std::string fdinfo,
                          ReadFileBounded(StrCat("/proc/self/fdinfo/", fd), kMaxProcFile));
  CORDON_ASSIGN_OR_RETURN(const std::string mountinfo, ReadFileBounded("/proc/self/mountinfo", kMaxProcFile));
  const auto mount = FdInfoNumber(fdinfo, "mnt_id");
  std::optional<uint32_t> device;
  if (mount.has_value()) device = DeviceOfMount(mountinfo, *mount);
  if (!device.has_value()) device = (major(facts.st_dev) << 20) | minor(facts.st_dev);
  return cordon_executable{.inode = FdInfoNumber(fdinfo, "ino").value_or(facts.st_ino),
                           .ctime_sec = static_cast<uint64_t>(facts.st_ctim.tv_sec),
                           .ctime_nsec = static_cast<uint32_t>(facts.st_ctim.tv_nsec),
                           .device = *device};
}

}  // namespace

absl::StatusOr<Executables::Seen> Executables::Look(const std::string& path, bool hash) {
  // Not blocking: the path may be a FIFO.
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  Seen seen;
  if (!fd.Valid() || fstat(fd.Get(), &seen.facts) != 0) return CannotRead(path);
  if (!S_ISREG(seen.facts.st_mode) || (seen.facts.st_mode & 0111) == 0) {
    return absl::FailedPreconditionError(StrCat(Printable(path), " is not an executable file"));
  }
  CORDON_ASSIGN_OR_RETURN(seen.executable.key, KeyOf(fd.Get(), seen.facts));
  seen.executable.stat_device = seen.facts.st_dev;
  seen.executable.stat_inode = seen.facts.st_ino;
  if (!hash) return seen;
  CORDON_ASSIGN_OR_RETURN(seen.sha256, HashOf(fd.Get(), path));
  struct stat after{};
  if (fstat(fd.Get(), &after) != 0 || !Same(seen.facts, after)) {
    return absl::UnavailableError(StrCat(Printable(path), " changed while it was read; it is read again"));
  }
  return seen;
}

absl::StatusOr<Executable> Executables::Find(const ProgramIdentity& program) {
  struct stat now{};
  if (stat(program.path.c_str(), &now) != 0) {
    seen_.erase(program.path);
    return CannotRead(program.path);
  }
  const bool hash = !program.sha256.empty();
  auto known = seen_.find(program.path);
  if (known == seen_.end() || !Same(known->second.facts, now) || (hash && known->second.sha256.empty())) {
    if (known != seen_.end()) seen_.erase(known);
    CORDON_ASSIGN_OR_RETURN(Seen seen, Look(program.path, hash));
    known = seen_.emplace(program.path, std::move(seen)).first;
  }
  if (hash && known->second.sha256 != program.sha256) {
    return absl::FailedPreconditionError(StrCat(Printable(program.path), " has the SHA-256 ",
                                                HexEncode(known->second.sha256), ", not ",
                                                HexEncode(program.sha256)));
  }
  return known->second.executable;
}

}  // namespace cordon::platform
