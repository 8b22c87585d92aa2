#include "platform/linux/bpf/loading.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/base/status.h"

namespace cordon::platform {

absl::Status BpfError(std::string_view who, std::string_view rights, std::string_view what, int error) {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return absl::UnavailableError(StrCat(who,
                                         ": this kernel has no type information (/sys/kernel/btf/vmlinux, "
                                         "CONFIG_DEBUG_INFO_BTF)"));
  }
  if (error == EPERM || error == EACCES) {
    return absl::PermissionDeniedError(
        StrCat(who, ": cannot ", what, ": needs root or ", rights, ", and a kernel that is not locked down"));
  }
  return absl::UnavailableError(StrCat(
      who, ": cannot ", what, " (kernel 5.10 or later is needed): ", std::system_category().message(error)));
}

}  // namespace cordon::platform
