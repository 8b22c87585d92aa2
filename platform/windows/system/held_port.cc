#include "platform/api/held_port.h"

#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {

// Without it any program may bind the same address with SO_REUSEADDR and take what comes.
absl::Status HoldPortAlone(int socket) {
  const BOOL yes = TRUE;
  if (setsockopt(static_cast<SOCKET>(socket), SOL_SOCKET, SO_EXCLUSIVEADDRUSE,
                 reinterpret_cast<const char*>(&yes), sizeof(yes)) == 0)
    return absl::OkStatus();
  return WindowsError(static_cast<DWORD>(WSAGetLastError()), "cannot hold a port alone");
}

}  // namespace cordon::platform
