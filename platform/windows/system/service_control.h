#pragma once

#include <absl/status/status.h>

#include <string>

namespace cordon::platform {

inline constexpr const wchar_t* kServiceName = L"CordonAgent";

// What InstallService sets beside the service itself, once more: somebody may have changed it. In force from
// the next start on. `notes` as there.
absl::Status RenewServiceSetup(std::string* notes);

}  // namespace cordon::platform
