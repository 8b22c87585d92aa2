#include "platform/linux/files/open_folder.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/linux/files/no_links.h"

namespace cordon::platform {

absl::StatusOr<Fd> OpenFolder(const std::filesystem::path& folder) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Fd opened(OpenWithoutLinks(folder, kFlags | O_NOATIME));
  if (!opened.Valid() && errno == EPERM) opened = Fd(OpenWithoutLinks(folder, kFlags));
  if (opened.Valid()) return opened;
  if (errno == ENOTDIR || errno == ELOOP) {
    return absl::FailedPreconditionError(StrCat(Printable(folder.string()), " is no folder"));
  }
  const int error = errno;
  return absl::ErrnoToStatus(error, StrCat("cannot open the folder ", Printable(folder.string())));
}

absl::Status ReadNames(Fd folder, const std::filesystem::path& path,
                       const std::function<void(std::string_view name, unsigned char type)>& visit) {
  const auto failed = [&] {
    const int error = errno;
    return absl::ErrnoToStatus(error, StrCat("cannot read the folder ", Printable(path.string())));
  };
  DIR* stream = fdopendir(folder.Get());
  if (stream == nullptr) return failed();
  folder.Release();
  const std::unique_ptr<DIR, decltype([](DIR* open_stream) { closedir(open_stream); })> own(stream);
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream);
    if (entry == nullptr) return errno == 0 ? absl::OkStatus() : failed();
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") visit(name, entry->d_type);
  }
}

}  // namespace cordon::platform
