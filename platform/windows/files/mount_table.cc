#include "platform/api/mount_table.h"

namespace cordon::platform {

MountTable MountTable::Now() {
  return MountTable();
}

Filesystem MountTable::At(const std::filesystem::path& /*path*/) const {
  return {};
}

bool MountTable::MayNotAnswer(const std::filesystem::path& /*path*/) const {
  return false;
}

std::vector<std::filesystem::path> MountTable::Below(const std::filesystem::path& /*folder*/) const {
  return {};
}

absl::Status ReadFolderHere(const std::filesystem::path& folder, const MountTable& /*mounts*/,
                            const std::function<bool(FolderEntry)>& visit) {
  return ReadFolder(folder, visit);
}

}  // namespace cordon::platform
