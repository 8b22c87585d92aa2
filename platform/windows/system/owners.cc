#include "platform/windows/system/owners.h"

namespace cordon::platform {

bool IsTrustedOwner(std::string_view owner_sid, std::string_view own_sid) {
  constexpr std::string_view kSystem = "S-1-5-18";
  constexpr std::string_view kAdministrators = "S-1-5-32-544";
  constexpr std::string_view kTrustedInstaller =
      "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
  if (owner_sid.empty()) return false;
  return owner_sid == kSystem || owner_sid == kAdministrators || owner_sid == kTrustedInstaller ||
         owner_sid == own_sid;
}

}  // namespace cordon::platform
