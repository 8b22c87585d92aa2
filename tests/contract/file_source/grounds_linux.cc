// A file system that is marked whole, tmpfs, and either folder by folder.

#include <stdexcept>

#include "platform/linux/files/fanotify_source.h"
#include "tests/contract/file_source/ground.h"
#include "tests/contract/file_source/tmpfs_mount.h"
#include "tests/support/native.h"

namespace cordon::testing {
namespace {

Ground Make(const std::string& name, bool tmpfs, bool folder_marks_only) {
  Ground ground{
      .name = name,
      .source = folder_marks_only ? "fanotify-directory" : "fanotify-filesystem",
      .make = [=] { return platform::MakeFanotifySource({.folder_marks_only = folder_marks_only}); },
      .prepare = [](const auto&) { return nullptr; },
      .tells_who = true,
      .tells_closing = true,
      .tells_attributes = true};
  if (tmpfs) {
    ground.prepare = [](const std::filesystem::path& folder) -> std::shared_ptr<void> {
      auto mounted = std::make_shared<TmpfsMount>(folder);
      if (!mounted->Mounted()) throw std::runtime_error("cannot mount a tmpfs");
      return mounted;
    };
  }
  return ground;
}

}  // namespace

std::vector<Ground> FileGrounds() {
  return {Make("Filesystem", false, false), Make("Tmpfs", true, false), Make("FolderByFolder", false, true),
          Make("TmpfsFolderByFolder", true, true)};
}

std::string WhyNoFileSource() {
  return IsAdministrator() ? "" : "not root: fanotify needs it";
}

}  // namespace cordon::testing
