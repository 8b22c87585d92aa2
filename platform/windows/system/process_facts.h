#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/windows/system/token_facts.h"

namespace cordon::platform {

struct ListedProcess {
  uint32_t pid = 0;
  uint32_t parent_pid = 0;
  std::string name;  // of the file alone
};
std::vector<ListedProcess> ListProcesses();

struct ProcessFacts {
  uint64_t start_file_time = 0;  // 100 ns since 1601
  std::string executable;        // path; empty when it may not be asked
  std::string command_line;      // as the process has it now; empty when it may not be read
  uint32_t session_id = 0;
  TokenFacts token{};
};
// Nothing when the process is gone or may not be asked for its start.
std::optional<ProcessFacts> ReadProcess(uint32_t pid);

// The start alone, which is what names a process together with its pid.
std::optional<uint64_t> ReadProcessStart(uint32_t pid);
// True when no process has the pid, or the one that has it runs no more and is only held by a handle.
bool ProcessHasEnded(uint32_t pid);
// Path of the program; empty when it cannot be told.
std::string ReadProcessExecutable(uint32_t pid);

}  // namespace cordon::platform
