#include "platform/api/sandboxed_child.h"

namespace cordon::platform {
namespace {

absl::Status NotHere() {
  return absl::UnimplementedError(
      "on Windows rules are not run on files yet: there is no child without rights for it");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SandboxedChild>> StartSandboxedChild(const SandboxCommand& /*command*/) {
  return NotHere();
}

absl::StatusOr<std::unique_ptr<SandboxChannel>> EnterSandbox(const SandboxLimits& /*limits*/) {
  return NotHere();
}

}  // namespace cordon::platform
