#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/file_tree.h"
#include "platform/linux/files/capability_text.h"
#include "platform/linux/files/no_links.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxBytes = 64 * 1024;  // XATTR_LIST_MAX and XATTR_SIZE_MAX
constexpr size_t kUsualBytes = 512;
constexpr std::string_view kCapabilities = "security.capability";

// Reads into a buffer; < 0 with errno as the system call.
using ListNames = std::function<ssize_t(char* into, size_t size)>;
using ReadValue = std::function<ssize_t(const char* name, char* into, size_t size)>;

absl::Status Failed(const std::filesystem::path& path) {
  return absl::ErrnoToStatus(errno, StrCat("cannot read the attributes of ", Printable(path.string())));
}

// "a\0b\0" -> {"a", "b"}
std::vector<std::string> SplitNames(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t end = std::min(list.find('\0'), list.size());
    names.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  std::ranges::sort(names);
  return names;
}

// Offers little room first: for each call the kernel takes as much memory as it is offered, and clears it for
// a value, and most files have no attributes at all.
template <typename Ask>
ssize_t AskForBytes(std::vector<char>& buffer, const Ask& ask) {
  const ssize_t size = ask(buffer.data(), kUsualBytes);
  return size < 0 && errno == ERANGE ? ask(buffer.data(), buffer.size()) : size;
}

absl::StatusOr<FileAttributes> Read(const std::filesystem::path& path, const ListNames& list,
                                    const ReadValue& read) {
  thread_local std::vector<char> buffer(kMaxBytes);
  const ssize_t listed = AskForBytes(buffer, list);
  if (listed < 0 && errno == ENOTSUP) return FileAttributes();
  if (listed < 0) return Failed(path);
  if (listed == 0) return FileAttributes();
  FileAttributes attributes;
  Sha256Stream digest;
  for (const std::string& name : SplitNames({buffer.data(), static_cast<size_t>(listed)})) {
    const ssize_t size =
        AskForBytes(buffer, [&](char* into, size_t room) { return read(name.c_str(), into, room); });
    if (size < 0 && (errno == ENODATA || errno == ENOTSUP)) continue;  // gone since it was listed
    if (size < 0) return Failed(path);
    const std::string_view value(buffer.data(), static_cast<size_t>(size));
    digest.UpdateU32(static_cast<uint32_t>(name.size()));
    digest.Update(name);
    digest.UpdateU32(static_cast<uint32_t>(value.size()));
    digest.Update(value);
    if (name == kCapabilities) attributes.capabilities = CapabilityText(value);
  }
  attributes.sha256 = digest.Finish();
  return attributes;
}

}  // namespace

// A link cannot be opened for this: its folder is, without links on the way, and named by its descriptor.
absl::StatusOr<FileAttributes> ReadAttributes(const std::filesystem::path& path) {
  const Fd folder(OpenWithoutLinks(path.parent_path(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.Valid()) return Failed(path);
  const std::string name = path.has_filename() ? path.filename().string() : ".";
  const std::string there = StrCat("/proc/self/fd/", folder.Get(), "/", name);
  return Read(
      path, [&](char* into, size_t size) { return llistxattr(there.c_str(), into, size); },
      [&](const char* key, char* into, size_t size) { return lgetxattr(there.c_str(), key, into, size); });
}

absl::StatusOr<FileAttributes> ReadAttributes(const OpenFile& file) {
  const int fd = static_cast<int>(file.Get());
  return Read(
      file.Path(), [&](char* into, size_t size) { return flistxattr(fd, into, size); },
      [&](const char* name, char* into, size_t size) { return fgetxattr(fd, name, into, size); });
}

}  // namespace cordon::platform
