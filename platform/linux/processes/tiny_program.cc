#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "common/base/status.h"
#include "platform/api/process_source.h"

namespace cordon::platform {

absl::StatusOr<uint32_t> RunTinyProgram() {
  struct Candidate {
    const char* path;
    std::array<const char*, 4> argv;
  };
  static constexpr std::array<Candidate, 3> kCandidates{{
      {"/bin/true", {"cordon-canary", nullptr}},
      {"/usr/bin/true", {"cordon-canary", nullptr}},
      {"/bin/sh", {"cordon-canary", "-c", ":", nullptr}},
  }};
  int error = ENOENT;
  std::array<char*, 1> no_environment{nullptr};
  for (const Candidate& candidate : kCandidates) {
    pid_t pid = 0;
    error = posix_spawn(&pid, candidate.path, nullptr, nullptr,
                        const_cast<char* const*>(candidate.argv.data()), no_environment.data());
    if (error != 0) continue;
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return static_cast<uint32_t>(pid);
  }
  return absl::UnavailableError(
      StrCat("cannot start /bin/true, /usr/bin/true or /bin/sh: ", std::strerror(error)));
}

}  // namespace cordon::platform
