#include "platform/api/running_programs.h"

#include "common/base/status.h"
#include "platform/windows/system/process_facts.h"

namespace cordon::platform {

// The file of a running program can be renamed here, and not deleted or replaced.
std::vector<RunningProgram> ListRunningPrograms() {
  std::vector<RunningProgram> programs;
  for (const ListedProcess& each : ListProcesses()) {
    const std::optional<ProcessFacts> facts = ReadProcess(each.pid);
    if (!facts.has_value() || facts->executable.empty()) continue;
    const absl::StatusOr<FileMetadata> file = ReadFileMetadata(facts->executable);
    if (!file.ok()) continue;
    programs.push_back({.pid = each.pid,
                        .start = facts->start_file_time,
                        .executable = facts->executable,
                        .device = file->device,
                        .inode = file->inode});
  }
  return programs;
}

absl::StatusOr<OpenFile> OpenProgramOf(const RunningProgram& program) {
  const std::optional<ProcessFacts> facts = ReadProcess(program.pid);
  if (!facts.has_value() || facts->start_file_time != program.start || ProcessHasEnded(program.pid))
    return absl::NotFoundError(StrCat("process ", program.pid, " has ended"));
  return OpenForReading(facts->executable);
}

}  // namespace cordon::platform
