#pragma once

// What the sub-commands of cordon-agent do. Each returns the exit status: 0 done, 1 refused or failed; what
// went wrong is on standard error.

#include <cstdint>
#include <string>

#include "agent/app/config.h"

namespace cordon::agent {

// The agent's own scanning process is started by this word (agent/scan/scanner_child.h).
inline constexpr const char* kScannerCommand = "scan-files";

struct EnrollFlags {
  std::string file;
  std::string folder;            // where the one *.enroll is the file; without one, nothing is done
  bool replace = false;          // give up an enrolment that exists
  bool unless_enrolled = false;  // leave one that exists as it is
};
int EnrollCommand(const AgentConfig& config, const EnrollFlags& flags);
int StatusCommand(const AgentConfig& config, bool json);
// Shows a challenge and waits for its code; with `code`, answers the one that is open (AUT-5).
struct UnlockOptions {
  std::string level = "observe";
  std::string length = "4h";
  std::string code;
};
int UnlockCommand(const AgentConfig& config, const UnlockOptions& options);
// Until the system asks it to end (SIGTERM, SIGINT; the service manager, Ctrl-C).
int RunCommand(const AgentConfig& config);
// Windows: makes the service, starts it if the host is enrolled, stops it if there is one, and removes it.
// Elsewhere packages do that.
int InstallCommand();
int StartCommand(const AgentConfig& config);
int StopCommand(const absl::StatusOr<AgentConfig>& config);  // stops also with settings that cannot be read
int UninstallCommand();
// Before the package goes; `check` only looks (removal.h).
int RemoveCommand(const AgentConfig& config, bool check, bool release);
// On a user's desktop; reads the notice from standard input.
int ShowNoticeCommand(uint32_t uid);

}  // namespace cordon::agent
