#include "agent/app/instance_lock.h"

#include "common/base/status.h"

namespace cordon::agent {

absl::StatusOr<std::unique_ptr<platform::FileLock>> LockState(const std::filesystem::path& state_dir) {
  CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(state_dir));
  auto lock = platform::LockFile(state_dir / "agent.lock");
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::FailedPreconditionError(
        StrCat("another agent uses ", state_dir.string(), "; stop it first (systemctl stop cordon-agent)"));
  }
  return lock;
}

}  // namespace cordon::agent
