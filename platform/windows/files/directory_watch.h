#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <vector>

#include "platform/windows/files/notify_decode.h"
#include "platform/windows/system/handle.h"

namespace cordon::platform {

// ReadDirectoryChangesW over one folder with all that is below it. Used by one thread.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(std::filesystem::path path);
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;
  ~DirectoryWatch() { Close(); }

  const std::filesystem::path& Path() const { return path_; }
  HANDLE Event() const { return event_.Get(); }  // set when something has come
  bool Watched() const { return folder_.Valid(); }

  absl::Status Open();  // NOT_FOUND: the folder is not there
  absl::Status Ask();   // for what comes next; closes on an error
  // What has come; `lost` when the kernel's buffer ran over, or the folder is gone.
  std::vector<NotifyRecord> Take(bool* lost);
  void Close();

 private:
  const std::filesystem::path path_;
  Handle folder_;
  Handle event_;
  OVERLAPPED wanted_{};
  std::vector<uint32_t> buffer_;  // aligned as the records need it
  bool pending_ = false;
};

}  // namespace cordon::platform
