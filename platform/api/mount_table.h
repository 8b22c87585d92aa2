#pragma once

// What is mounted where, by the system's own table. No call is made on a file system: one whose server is
// gone, as every server is for an isolated host, holds whoever asks it for minutes or for ever.

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/api/file_tree.h"

namespace cordon::platform {

struct MountEntry {
  uint32_t id = 0;
  uint32_t parent = 0;  // the id of what it is mounted on
  std::string point;    // absolute
  Filesystem filesystem;
  bool trigger = false;  // of autofs: opening the point itself mounts something there
};

class MountTable {
 public:
  // On Windows empty: what a drive is stands in no table of this kind.
  static MountTable Now();

  explicit MountTable(std::vector<MountEntry> entries = {}) : entries_(std::move(entries)) {}

  // What `path` lies on, links in it not followed. Local where the table says nothing.
  Filesystem At(const std::filesystem::path& path) const;

  // Whoever opens `path` asks another machine on the way, or has one mounted (autofs).
  bool MayNotAnswer(const std::filesystem::path& path) const;

  // What is mounted below `folder` and not hidden by another mount.
  std::vector<std::filesystem::path> Below(const std::filesystem::path& folder) const;

 private:
  // From the first mount to the one that `path` lies on.
  std::vector<const MountEntry*> WayTo(std::string_view path) const;
  const MountEntry* NextOnWay(const MountEntry* from, std::string_view path) const;

  std::vector<MountEntry> entries_;
};

// As ReadFolder, but entries that may not answer are left out, and nothing is asked of them.
absl::Status ReadFolderHere(const std::filesystem::path& folder, const MountTable& mounts,
                            const std::function<bool(FolderEntry)>& visit);

}  // namespace cordon::platform
