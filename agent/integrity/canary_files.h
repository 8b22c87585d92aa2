#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "platform/api/mount_table.h"

namespace cordon::agent {

inline constexpr const char* kCanaryList = "canaries";  // in the agent's state folder

// Files that nobody has a reason to touch, in folders of documents: two per folder, with names that sort
// before and behind all others and that shells and file managers do not show. What changes one of them is
// taking the folder's files away.
//
// Whoever owns the folder owns its canaries too, so that what runs as that user can change them, and may
// delete them. One thread at a time may lay and remove, and any may ask meanwhile.
class CanaryFiles {
 public:
  // `list_file` remembers the folders, so that none is forgotten when the policy changes while the agent is
  // off.
  explicit CanaryFiles(std::filesystem::path list_file);

  // Lays what is missing in each folder that exists; a folder on the way to it that is a symbolic link is not
  // followed, since users can make those and the agent may write anywhere. Removes those of folders that are
  // not listed any more. Nothing is laid on a network file system, where nobody would see it touched and
  // where nobody may answer: an error. The errors of all folders in one; the rest is laid.
  absl::Status Lay(const std::vector<std::filesystem::path>& folders);

  // Removes what was laid, if it is still as it was. The errors of all folders in one.
  absl::Status Remove();

  // `path` as the system has it: not escaped as in events.
  bool IsCanary(const std::filesystem::path& path) const;

  // Whether a file of this size and SHA-256 (empty: it is not known) is as it was laid.
  static bool IsWhatIsLaid(uint64_t size, std::string_view sha256);

 private:
  using Folders = std::vector<std::filesystem::path>;

  absl::Status Save(const Folders& folders) const;
  Folders Listed() const;
  void List(Folders folders);

  const std::filesystem::path list_file_;
  mutable std::mutex mutex_;  // guards what follows; not held while files are touched, which may take long
  Folders folders_;
};

// The folders of documents of everyone whose own folder is in one of `homes`, as they are now, for a policy
// that names none. Those on network file systems are left out, and nothing is asked of them. An error when
// one of `homes` is there and cannot be read: what was laid in it may still be there.
absl::StatusOr<std::vector<std::filesystem::path>> FoldersOfDocuments(
    const std::vector<std::filesystem::path>& homes,
    const platform::MountTable& mounts = platform::MountTable::Now());

}  // namespace cordon::agent
