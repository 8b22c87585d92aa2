#pragma once

// The agent as a service of the system.

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace cordon::platform {

// Runs `body` and returns its result: within the service manager's dispatcher where the system has one and
// has started this process, else as it is. Blocks; once per process. `body` is called at most once, on any
// thread.
int RunUnderServiceManager(const std::function<int()>& body);

// The system's own log. Thread-safe.
class SystemLog {
 public:
  enum class Severity { kError, kWarning, kInformation };
  virtual ~SystemLog() = default;
  virtual void Write(Severity severity, std::string_view line) = 0;
};

// For a process whose standard error nobody reads; nullptr where it is what the system's log takes (Linux),
// or somebody has started this program to look at it.
std::unique_ptr<SystemLog> MakeSystemLog();

struct ServiceSetup {
  std::string executable;  // absolute path
};

// Makes the service, or brings one that exists to this setup: starts with the system, is started again when
// it fails. UNIMPLEMENTED where the system's packages do it (Linux). PERMISSION_DENIED without the right to.
// `notes` gets a sentence for each wish that the system has refused and the service works without.
absl::Status InstallService(const ServiceSetup& setup, std::string* notes);

// Starts it and returns when it runs, or has failed to within its time. NOT_FOUND when there is none.
absl::Status StartInstalledService();

// Stops it and returns when it has ended. NOT_FOUND when there is none.
absl::Status StopInstalledService();

// Stops and removes it. NOT_FOUND when there is none.
absl::Status UninstallService();

}  // namespace cordon::platform
