#pragma once

#include <absl/status/statusor.h>

#include <cstdint>

#include "platform/api/sandboxed_child.h"
#include "platform/windows/system/handle.h"

namespace cordon::platform {

struct SpawnedSandbox {
  Handle pipe;     // overlapped; the child's end is its standard input
  Handle job;      // with the last handle the child ends
  Handle process;  // with all rights
  uint32_t pid = 0;
};

// What a child's job holds it to from the start: one process, that ends when it faults and with its parent.
inline constexpr DWORD kSandboxJobLimits = JOB_OBJECT_LIMIT_ACTIVE_PROCESS |
                                           JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE |
                                           JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
inline constexpr DWORD kSandboxProcesses = 1;

// Starts a child that begins with tokens.h's `start` and has the pipe. The first frame is for EnterSandbox:
// its handle is the job, by which the child sets its own limit of memory. It has neither this process's
// environment nor its folder.
absl::StatusOr<SpawnedSandbox> SpawnSandbox(const SandboxCommand& command);

}  // namespace cordon::platform
