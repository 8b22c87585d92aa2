#include "platform/api/service.h"

namespace cordon::platform {

int RunUnderServiceManager(const std::function<int()>& body) {
  return body();
}

std::unique_ptr<SystemLog> MakeSystemLog() {
  return nullptr;  // the journal takes standard error
}

absl::Status InstallService(const ServiceSetup& /*setup*/, std::string* /*notes*/) {
  return absl::UnimplementedError("on Linux the package sets up the service: apt-get install cordon-agent");
}

absl::Status StartInstalledService() {
  return absl::UnimplementedError("on Linux systemd starts the service: systemctl start cordon-agent");
}

absl::Status StopInstalledService() {
  return absl::UnimplementedError("on Linux systemd stops the service: systemctl stop cordon-agent");
}

absl::Status UninstallService() {
  return absl::UnimplementedError("on Linux the package takes the service away: apt-get remove cordon-agent");
}

}  // namespace cordon::platform
