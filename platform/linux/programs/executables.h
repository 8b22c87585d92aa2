#pragma once

// Which file a program's path stands for, as the kernel side names it.

#include <absl/status/statusor.h>
#include <sys/stat.h>

#include <map>
#include <string>

#include "platform/api/packet_filter.h"
#include "platform/linux/programs/identity.h"

namespace cordon::platform {

struct Executable {
  cordon_executable key{};
  // stat's own numbers, to know the file in /proc/PID/exe.
  dev_t stat_device = 0;
  ino_t stat_inode = 0;
};

// Remembers what it has looked at: a file that has not changed is not opened or hashed again.
class Executables {
 public:
  // The file as it is now; its links are followed. The error is a sentence for an operator: NOT_FOUND,
  // FAILED_PRECONDITION (another SHA-256, not an executable file), UNAVAILABLE (changed while it was hashed).
  absl::StatusOr<Executable> Find(const ProgramIdentity& program);

 private:
  struct Seen {
    struct stat facts{};
    Executable executable;
    std::string sha256;  // empty: not hashed
  };
  absl::StatusOr<Seen> Look(const std::string& path, bool hash);

  std::map<std::string, Seen> seen_;  // by path
};

}  // namespace cordon::platform
