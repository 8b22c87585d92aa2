#pragma once

// What runs now, for scans.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "platform/api/file_tree.h"

namespace cordon::platform {

struct RunningProgram {
  uint32_t pid = 0;
  uint64_t start = 0;      // in the system's own unit; with the pid, it names the process
  std::string executable;  // path, bytes as the system has them
  uint64_t device = 0;     // of that file
  uint64_t inode = 0;
  bool deleted = false;  // the file has no name any more, or is one that lives in memory only
};

// Every process that has a program file: not the kernel's own threads. Those that end meanwhile may be in it.
std::vector<RunningProgram> ListRunningPrograms();

// The very file that the process executes, also when it has been deleted or replaced on disk. NOT_FOUND when
// the process has ended.
absl::StatusOr<OpenFile> OpenProgramOf(const RunningProgram& program);

}  // namespace cordon::platform
