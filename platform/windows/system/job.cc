#include "platform/windows/system/job.h"

#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr SIZE_T kMostMemory = SIZE_T{2} << 30;  // as MemoryHigh of the unit on Linux
constexpr DWORD kMostProcesses = 32;             // the agent and its proofs' small programs

}  // namespace

absl::Status LimitThisProcess() {
  // The job lasts as long as processes are in it; the handle is not needed.
  const Handle job(CreateJobObjectW(nullptr, nullptr));
  if (!job.Valid()) return LastError("cannot make a job object");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  // Breakaway: for the children of sandbox/spawn.cc, which have limits of their own.
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_JOB_MEMORY | JOB_OBJECT_LIMIT_ACTIVE_PROCESS |
                                            JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION |
                                            JOB_OBJECT_LIMIT_BREAKAWAY_OK;
  limits.BasicLimitInformation.ActiveProcessLimit = kMostProcesses;
  limits.JobMemoryLimit = kMostMemory;
  if (SetInformationJobObject(job.Get(), JobObjectExtendedLimitInformation, &limits, sizeof(limits)) == 0)
    return LastError("cannot set the limits of the job object");
  if (AssignProcessToJobObject(job.Get(), GetCurrentProcess()) == 0)
    return LastError("cannot put this process under its limits");
  return absl::OkStatus();
}

}  // namespace cordon::platform
