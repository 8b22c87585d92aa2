#include "platform/api/link_watcher.h"

#include <utility>

#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

class InterfaceWatcher final : public LinkWatcher {
 public:
  ~InterfaceWatcher() override { Stop(); }

  absl::Status Start(std::function<void()> changed) override {
    changed_ = std::move(changed);
    const DWORD result =
        NotifyIpInterfaceChange(AF_UNSPEC, &InterfaceWatcher::OnChange, this, FALSE, &handle_);
    return result == NO_ERROR ? absl::OkStatus() : WindowsError(result, "cannot be told of interfaces");
  }

  // Waits for a call that is under way.
  void Stop() override {
    if (handle_ != nullptr) CancelMibChangeNotify2(std::exchange(handle_, nullptr));
  }

  // Windows' network compartments are not left by interfaces of the host.
  std::vector<std::string> MovedAway() override { return {}; }

 private:
  static void WINAPI OnChange(void* context, MIB_IPINTERFACE_ROW* /*row*/, MIB_NOTIFICATION_TYPE /*type*/) {
    static_cast<InterfaceWatcher*>(context)->changed_();
  }

  std::function<void()> changed_;
  HANDLE handle_ = nullptr;
};

}  // namespace

std::unique_ptr<LinkWatcher> MakeLinkWatcher() {
  return std::make_unique<InterfaceWatcher>();
}

}  // namespace cordon::platform
