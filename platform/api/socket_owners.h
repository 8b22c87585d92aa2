#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace cordon::platform {

struct SocketOwner {
  uint32_t pid = 0;
  std::string executable;  // absolute path; empty when it cannot be read
};

// The programs that hold the sockets, by Connection::owner_key; of several holders the one with the lowest
// pid. Looks through every process, some ten milliseconds on a busy machine. A socket that nobody holds any
// more, or whose holder may not be looked at, is missing. Thread-safe.
std::unordered_map<uint64_t, SocketOwner> FindSocketOwners(const std::unordered_set<uint64_t>& owner_keys);

}  // namespace cordon::platform
