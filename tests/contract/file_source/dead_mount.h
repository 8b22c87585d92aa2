#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

namespace cordon::testing {

// A file system whose server never answers, as one on a network that is cut: whoever asks it anything waits.
class DeadMount {
 public:
  explicit DeadMount(std::filesystem::path at)
      : at_(std::move(at)), server_(open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    if (server_ < 0) return;
    const std::string options = "fd=" + std::to_string(server_) + ",rootmode=40000,user_id=0,group_id=0";
    mounted_ = mount("cordon-test", at_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
  }
  DeadMount(const DeadMount&) = delete;
  DeadMount& operator=(const DeadMount&) = delete;
  ~DeadMount() {
    GiveErrors();
    if (mounted_) umount2(at_.c_str(), MNT_DETACH);
  }
  bool Mounted() const { return mounted_; }

  // Whoever waits gets an error from now on.
  void GiveErrors() {
    if (server_ >= 0) close(std::exchange(server_, -1));
  }

 private:
  std::filesystem::path at_;
  int server_ = -1;
  bool mounted_ = false;
};

}  // namespace cordon::testing
