#include "platform/api/socket_owners.h"

#include "platform/windows/system/process_facts.h"

namespace cordon::platform {

// The key is the pid that the connection table names.
std::unordered_map<uint64_t, SocketOwner> FindSocketOwners(const std::unordered_set<uint64_t>& owner_keys) {
  std::unordered_map<uint64_t, SocketOwner> owners;
  for (const uint64_t key : owner_keys) {
    if (key == 0) continue;
    const auto pid = static_cast<uint32_t>(key);
    // One that has ended leaves its connections in the table for a while.
    if (ProcessHasEnded(pid)) continue;
    owners.emplace(key, SocketOwner{.pid = pid, .executable = ReadProcessExecutable(pid)});
  }
  return owners;
}

}  // namespace cordon::platform
