#include "platform/linux/programs/open_sockets.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>

#include "common/base/status.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

int NumberOf(const std::filesystem::path& entry) {
  const std::string name = entry.filename().string();
  int number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : -1;
}

bool Runs(const std::filesystem::path& process, const Executable& executable) {
  struct stat facts{};
  return stat((process / "exe").c_str(), &facts) == 0 && facts.st_dev == executable.stat_device &&
         facts.st_ino == executable.stat_inode &&
         static_cast<uint64_t>(facts.st_ctim.tv_sec) == executable.key.ctime_sec &&
         static_cast<uint32_t>(facts.st_ctim.tv_nsec) == executable.key.ctime_nsec;
}

bool IsOfNamespace(int socket, uint64_t net_namespace) {
  const Fd inside(ioctl(socket, SIOCGSKNS));
  struct stat facts{};
  return inside.Valid() && fstat(inside.Get(), &facts) == 0 && facts.st_ino == net_namespace;
}

void MarkSocket(int socket, uint32_t mark, uint64_t net_namespace) {
  int family = 0;
  uint32_t present = 0;
  socklen_t size = sizeof(family);
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return;
  if (family != AF_INET && family != AF_INET6) return;
  if (!IsOfNamespace(socket, net_namespace)) return;
  size = sizeof(present);
  if (getsockopt(socket, SOL_SOCKET, SO_MARK, &present, &size) != 0 || present != 0) return;
  setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

absl::Status MarkProcess(const std::filesystem::path& process, uint32_t mark, uint64_t net_namespace) {
  const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, NumberOf(process), 0)));
  if (!pidfd.Valid()) return errno == ESRCH ? absl::OkStatus() : absl::ErrnoToStatus(errno, "pidfd_open");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(process / "fd", error)) {
    std::error_code unreadable;
    const std::string target = std::filesystem::read_symlink(entry.path(), unreadable).string();
    if (unreadable || !target.starts_with("socket:")) continue;
    const Fd socket(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.Get(), NumberOf(entry.path()), 0)));
    if (socket.Valid()) {
      MarkSocket(socket.Get(), mark, net_namespace);
    } else if (errno != EBADF && errno != ESRCH) {
      return absl::ErrnoToStatus(errno, "pidfd_getfd");
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::PermissionDeniedError(StrCat("its descriptors: ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MarkOpenSockets(const Executable& executable, uint32_t mark, uint64_t net_namespace) {
  absl::Status status;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (NumberOf(entry.path()) <= 0 || !Runs(entry.path(), executable)) continue;
    const absl::Status marked = MarkProcess(entry.path(), mark, net_namespace);
    if (!marked.ok()) status = Annotate(marked, StrCat("process ", NumberOf(entry.path())));
  }
  if (error) return absl::UnavailableError(StrCat("cannot list /proc: ", error.message()));
  return status;
}

}  // namespace cordon::platform
