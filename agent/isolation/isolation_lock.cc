#include "agent/isolation/isolation_lock.h"

#include <thread>

namespace cordon::agent {

absl::StatusOr<std::unique_ptr<platform::FileLock>> LockIsolation(const std::filesystem::path& state_dir,
                                                                  std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kTryEvery(5);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    auto lock = platform::LockFile(state_dir / "isolation.lock");
    if (!absl::IsAlreadyExists(lock.status()) || std::chrono::steady_clock::now() >= deadline) return lock;
    std::this_thread::sleep_for(kTryEvery);
  }
}

}  // namespace cordon::agent
