#include "platform/linux/processes/namespaces.h"

#include <sys/stat.h>

namespace cordon::platform {
namespace {

constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, the same on every kernel

}  // namespace

bool InInitialPidNamespace() {
  struct stat own{};
  return stat("/proc/self/ns/pid", &own) != 0 || own.st_ino == kInitialPidNamespace;
}

bool InInitialNetworkNamespace() {
  struct stat own{};
  struct stat first{};
  if (stat("/proc/thread-self/ns/net", &own) != 0 || stat("/proc/1/ns/net", &first) != 0) return true;
  return own.st_ino == first.st_ino;
}

}  // namespace cordon::platform
