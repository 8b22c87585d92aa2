#include "platform/linux/system/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/strings.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {

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

}  // namespace cordon::platform
