#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "platform/api/packet_filter.h"
#include "platform/api/program_marks.h"

namespace cordon::agent {

// What a receipt says of the programs that rules name.
struct ProgramFacts {
  std::vector<std::string> unbound;      // more is closed than was ordered
  std::vector<std::string> differences;  // somebody has changed what marks the programs' sockets
  std::string unreadable;                // why it cannot be told; empty: it can
  friend bool operator==(const ProgramFacts&, const ProgramFacts&) = default;
};

// Keeps the marks of programs in step with the rules that ask for them: a mark is there before the first rule
// asks for it, and goes after the last one has gone (ISO-1). Without `marks` no rule can name a program.
class ProgramBinding {
 public:
  explicit ProgramBinding(platform::ProgramMarks* marks) : marks_(marks) {}

  // Before the rules change: marks `wanted` besides what is marked already. UNIMPLEMENTED names what the
  // system lacks. No rule asks for the new marks yet, so nothing else has changed when it fails.
  absl::Status Widen(const std::vector<platform::ProgramIdentity>& wanted);

  // After the rules changed: marks `wanted` and nothing else.
  absl::Status Settle(const std::vector<platform::ProgramIdentity>& wanted);

  // Looks at the files and the kernel; brings them together again where they differ. True when what Facts
  // says has changed, or a difference was put right (which `cause` then tells).
  bool Refresh(const std::vector<platform::ProgramIdentity>& wanted, std::string* cause);

  ProgramFacts Facts(const std::vector<platform::ProgramIdentity>& wanted) const;

 private:
  platform::ProgramMarks* marks_;
  std::vector<platform::ProgramIdentity> marked_;
  bool knows_kernel_ = false;  // `marked_` is all there is: an earlier agent may have left more
  ProgramFacts told_;
};

}  // namespace cordon::agent
