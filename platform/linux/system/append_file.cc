#include "platform/api/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/linux/system/fd.h"
#include "platform/linux/system/file_io.h"

namespace cordon::platform {
namespace {

absl::Status AppendTo(int fd, off_t length, std::string_view lines, const std::filesystem::path& path) {
  char last = '\n';
  if (length > 0 && pread(fd, &last, 1, length - 1) != 1) return Failed("cannot read", path);
  if (last != '\n') CORDON_RETURN_IF_ERROR(WriteAll(fd, "\n", path));
  CORDON_RETURN_IF_ERROR(WriteAll(fd, lines, path));
  if (fsync(fd) != 0) return Failed("cannot sync", path);
  if (length > 0) return absl::OkStatus();
  return SyncFolder(path.has_parent_path() ? path.parent_path() : ".");
}

}  // namespace

absl::Status AppendLinesDurably(const std::filesystem::path& path, std::string_view lines) {
  const Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!fd.Valid()) return Failed("cannot open", path);
  struct stat facts{};
  if (fstat(fd.Get(), &facts) != 0) return Failed("cannot look at", path);
  if (!S_ISREG(facts.st_mode)) return WriteAll(fd.Get(), lines, path);
  const absl::Status appended = AppendTo(fd.Get(), facts.st_size, lines, path);
  if (appended.ok() || ftruncate(fd.Get(), facts.st_size) == 0) return appended;
  return absl::Status(appended.code(), StrCat(Message(appended),
                                              "; and it cannot be cut to its old length, so that a part of a "
                                              "line may stand at its end"));
}

}  // namespace cordon::platform
