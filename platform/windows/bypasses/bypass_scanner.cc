#include "platform/api/bypass_scanner.h"

#include <vector>

#include "common/base/status.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

struct KnownDriver {
  const wchar_t* name;
  const char* what;
};

// Drivers that send frames below the layers of WFP that Cordon uses, or carry traffic of machines of their
// own.
constexpr KnownDriver kDrivers[] = {
    {L"npcap", "Npcap lets programs send frames that no filter sees"},
    {L"npf", "WinPcap lets programs send frames that no filter sees"},
    {L"vmnetbridge", "VMware's bridge connects virtual machines to the network beside this host's filters"},
    {L"VBoxNetLwf",
     "VirtualBox's bridge connects virtual machines to the network beside this host's filters"},
    {L"vmsmp",
     "Hyper-V's switch connects virtual machines and WSL to the network beside this host's filters"},
};

class DriverScanner final : public BypassScanner {
 public:
  std::vector<std::string> Scan() override {
    std::vector<std::string> found;
    SC_HANDLE const manager = OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT);
    if (manager == nullptr) {
      const absl::Status failed = LastError("which drivers run cannot be looked into");
      found.emplace_back(Message(failed));
      return found;
    }
    for (const KnownDriver& driver : kDrivers)
      if (Runs(manager, driver.name)) found.emplace_back(driver.what);
    CloseServiceHandle(manager);
    return found;
  }

 private:
  static bool Runs(SC_HANDLE manager, const wchar_t* name) {
    SC_HANDLE const service = OpenServiceW(manager, name, SERVICE_QUERY_STATUS);
    if (service == nullptr) return false;
    SERVICE_STATUS status{};
    const bool runs = QueryServiceStatus(service, &status) != 0 && status.dwCurrentState == SERVICE_RUNNING;
    CloseServiceHandle(service);
    return runs;
  }
};

}  // namespace

std::unique_ptr<BypassScanner> MakeBypassScanner() {
  return std::make_unique<DriverScanner>();
}

}  // namespace cordon::platform
