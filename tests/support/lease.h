#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

namespace cordon::testing {

// A write lease on a file, held by this process: who opens the file without waiting is refused, and the
// holder asked to let go.
class Lease {
 public:
  explicit Lease(const std::filesystem::path& path) : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    signal(SIGIO, SIG_IGN);  // by which the kernel asks
    held_ = fcntl(file_, F_SETLEASE, F_WRLCK) == 0;
  }
  ~Lease() { close(file_); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  bool Held() const { return held_; }  // not every file system has leases
  bool IsAskedFor() const { return fcntl(file_, F_GETLEASE) != F_WRLCK; }
  void LetGo() const { fcntl(file_, F_SETLEASE, F_UNLCK); }

 private:
  const int file_;
  bool held_ = false;
};

}  // namespace cordon::testing
