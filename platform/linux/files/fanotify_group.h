#pragma once

// The kernel's side of the file source: thin calls, no state but the group's descriptor.

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "platform/linux/files/fanotify_decode.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {

// A fanotify group that reports names (never in permission mode: a notifier cannot deadlock the machine).
//
// The queue has the kernel's bound (fs.fanotify.max_queued_events, 16,384 by default), not
// FAN_UNLIMITED_QUEUE: without a bound a stalled reader would eat the machine's memory. The reader empties it
// into a larger bounded buffer of its own, where what must be dropped can be counted; the kernel's overflow
// is a single marker without a count.
class FanotifyGroup {
 public:
  // Of changes, or of reads and of what moves folders about. PERMISSION_DENIED without CAP_SYS_ADMIN,
  // UNIMPLEMENTED before Linux 5.9.
  static absl::StatusOr<FanotifyGroup> Open(bool reads = false);

  int Get() const { return fd_.Get(); }
  // False before Linux 5.17: a rename comes as two halves, and objects are not named beside their folder.
  bool TellsRenames() const { return tells_renames_; }

  // Of open folders, since a path may lead to another one at each call; `path` is for messages.
  //
  // Everything on the file system that the folder is on. UNIMPLEMENTED when that file system cannot be marked
  // whole.
  absl::Status MarkFilesystem(const Fd& folder, const std::filesystem::path& path) const;
  // What happens to the folder and the names in it, not below. NOT_FOUND when its file system has no id.
  absl::Status MarkFolder(const Fd& folder, const std::filesystem::path& path) const;

 private:
  FanotifyGroup(Fd fd, bool tells_renames, bool reads)
      : fd_(std::move(fd)), reads_(reads), tells_renames_(tells_renames) {}
  uint64_t Mask() const;

  Fd fd_;
  bool reads_ = false;
  bool tells_renames_ = false;
};

// The key under which the kernel will name an open folder in events; `path` is for messages.
absl::StatusOr<std::string> KeyOfFolder(const Fd& folder, const std::filesystem::path& path);

// Where the folder behind `key` is now, seen from the mount that `on_mount` is on. NOT_FOUND when it is
// deleted, OUT_OF_RANGE when it is deeper than a path can say.
absl::StatusOr<std::string> PathOfFolder(HandleKey key, const std::filesystem::path& on_mount);

}  // namespace cordon::platform
