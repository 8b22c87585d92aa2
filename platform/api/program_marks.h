#pragma once

// What isolation needs of an operating system to tell one program's sockets from another's. Desired state
// crosses this border: Apply is idempotent, needs no memory of earlier calls, and what it leaves in the
// kernel works on when the process dies (ISO-5).

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/api/packet_filter.h"

namespace cordon::platform {

// What the sockets of a program are told by: the packet filter asks for it, ConnectionTable reports it. It
// depends on the identity alone, so a socket that one order opened never passes for a program of the next.
// 0x0d and 24 bits of an FNV-1a hash; never 0, never the agent's own tag.
constexpr uint32_t ProgramTag(std::string_view path, std::string_view sha256) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view bytes) {
    for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  };
  add(path);
  add(std::string_view("\0", 1));
  add(sha256);
  return 0x0d000000U | (static_cast<uint32_t>(hash ^ (hash >> 24) ^ (hash >> 48)) & 0x00ffffffU);
}
inline uint32_t ProgramTag(const ProgramIdentity& program) {
  return ProgramTag(program.path, program.sha256);
}

struct ProgramReadback {
  // The kernel marks what Apply(intended) would make it mark, by the files as they are now.
  bool matches = false;
  // What somebody else must have changed, one sentence each, for an operator.
  std::vector<std::string> differences;
  // Programs that have no mark now, each with its reason: no such file, another SHA-256, changed since.
  std::vector<std::string> unbound;
};

// Not thread-safe. Works in the network namespace of the calling thread at construction: sockets of other
// namespaces are not its business. Needs CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN (to find what
// an earlier agent left); PERMISSION_DENIED without.
//
// A socket carries the mark of the program that opened it:
//   - the executable file of the process that creates the socket, and again of the one that connects it;
//   - an accepted socket carries the mark of the one that listens;
//   - a socket that is handed on (fork, exec, SCM_RIGHTS) keeps its mark until somebody connects it anew;
//   - sockets that a process of the program holds when Apply first marks it carry the mark from then on.
// The program of a script is its interpreter. Another name for the same file (hard link, symbolic link) is
// the same program; a copy is not. A file that changes in any way has no mark until Apply has looked at it
// again.
class ProgramMarks {
 public:
  virtual ~ProgramMarks() = default;

  // Marks exactly `programs`; nothing is left in the kernel for an empty list. A program that cannot be bound
  // is no error: ReadBack names it.
  //   UNIMPLEMENTED     names what this system lacks
  //   INVALID_ARGUMENT  two programs have the same tag
  virtual absl::Status Apply(const std::vector<ProgramIdentity>& programs) = 0;

  // Compares what the kernel marks, and the files, with what Apply(intended) would make of them now.
  virtual absl::StatusOr<ProgramReadback> ReadBack(const std::vector<ProgramIdentity>& intended) = 0;
};

// The native one, chosen at link time.
std::unique_ptr<ProgramMarks> MakeProgramMarks();

// OK when what stands at the program's path now is the program. The error is a sentence for an operator:
// NOT_FOUND, FAILED_PRECONDITION (another SHA-256, not an executable file), UNAVAILABLE (changed while it was
// read). Reads the whole file when the program has a SHA-256. Thread-safe.
absl::Status CheckProgram(const ProgramIdentity& program);

}  // namespace cordon::platform
