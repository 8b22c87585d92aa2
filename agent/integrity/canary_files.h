#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::agent {

inline constexpr const char* kCanaryList = "canaries";  // in the agent's state folder

// Files that nobody has a reason to touch, in folders of documents: two per folder, with names that sort
// before and behind all others and that shells and file managers do not show. What changes one of them is
// taking the folder's files away.
//
// Whoever owns the folder owns its canaries too, so that what runs as that user can change them, and may
// delete them. Not thread-safe.
class CanaryFiles {
 public:
  // `list_file` remembers the folders, so that none is forgotten when the policy changes while the agent is
  // off.
  explicit CanaryFiles(std::filesystem::path list_file);

  // Lays what is missing in each folder that exists; a folder on the way to it that is a symbolic link is not
  // followed, since users can make those and the agent may write anywhere. Removes those of folders that are
  // not listed any more. The errors of all folders in one; the rest is laid.
  absl::Status Lay(const std::vector<std::filesystem::path>& folders);

  // Removes what was laid, if it is still as it was. The errors of all folders in one.
  absl::Status Remove();

  // `path` as the system has it: not escaped as in events.
  bool IsCanary(const std::filesystem::path& path) const;

  // Whether a file of this size and SHA-256 (empty: it is not known) is as it was laid.
  static bool IsWhatIsLaid(uint64_t size, std::string_view sha256);

 private:
  absl::Status Save() const;

  const std::filesystem::path list_file_;
  std::vector<std::filesystem::path> folders_;
};

// The folders of documents of everyone whose own folder is in one of `homes`, as they are now, for a policy
// that names none. An error when one of `homes` is there and cannot be read: what was laid in it may still be
// there.
absl::StatusOr<std::vector<std::filesystem::path>> FoldersOfDocuments(
    const std::vector<std::filesystem::path>& homes);

}  // namespace cordon::agent
