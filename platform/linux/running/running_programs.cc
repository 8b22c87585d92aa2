#include "platform/api/running_programs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/linux/files/open_file.h"
#include "platform/linux/processes/proc_files.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr size_t kMaxStatBytes = 4096;

std::optional<uint64_t> StartOf(uint32_t pid) {
  const absl::StatusOr<std::string> text = ReadFileBounded(StrCat("/proc/", pid, "/stat"), kMaxStatBytes);
  if (!text.ok()) return std::nullopt;
  const std::optional<ProcStat> stat = ParseProcStat(*text);
  if (!stat.has_value()) return std::nullopt;
  return stat->start_ticks;
}

}  // namespace

std::vector<RunningProgram> ListRunningPrograms() {
  std::vector<RunningProgram> programs;
  for (const uint32_t pid : ListProcPids()) {
    std::array<char, 4096> target{};
    const ssize_t length = readlink(StrCat("/proc/", pid, "/exe").c_str(), target.data(), target.size());
    if (length <= 0) continue;  // a thread of the kernel, or it has ended
    const std::optional<uint64_t> start = StartOf(pid);
    struct stat file{};
    if (!start.has_value() || stat(StrCat("/proc/", pid, "/exe").c_str(), &file) != 0) continue;
    RunningProgram& program = programs.emplace_back();
    program.pid = pid;
    program.start = *start;
    program.device = file.st_dev;
    program.inode = file.st_ino;
    program.executable.assign(target.data(), static_cast<size_t>(length));
    if (program.executable.ends_with(kDeleted)) {
      program.deleted = true;
      program.executable.resize(program.executable.size() - kDeleted.size());
    }
  }
  return programs;
}

absl::StatusOr<OpenFile> OpenProgramOf(const RunningProgram& program) {
  const std::string link = StrCat("/proc/", program.pid, "/exe");
  Fd fd(open(link.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.Valid())
    return absl::ErrnoToStatus(errno, StrCat("cannot open the program of process ", program.pid));
  // The number may be another process's since the list was made; what is open by now is not.
  if (StartOf(program.pid) != program.start) {
    return absl::NotFoundError(StrCat("process ", program.pid, " has ended"));
  }
  return TakeOpenFile(std::move(fd), program.executable);
}

}  // namespace cordon::platform
