#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <utility>

namespace cordon::testing {

class TmpfsMount {
 public:
  explicit TmpfsMount(std::filesystem::path at) : at_(std::move(at)) {
    mounted_ = mount("cordon-test", at_.c_str(), "tmpfs", 0, "size=16m") == 0;
  }
  TmpfsMount(const TmpfsMount&) = delete;
  TmpfsMount& operator=(const TmpfsMount&) = delete;
  ~TmpfsMount() {
    if (mounted_) umount2(at_.c_str(), MNT_DETACH);
  }
  bool Mounted() const { return mounted_; }

 private:
  std::filesystem::path at_;
  bool mounted_ = false;
};

}  // namespace cordon::testing
