#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cordon::platform {

// One event of the kernel's process connector. Those of threads are left out by the decoder.
struct ConnectorEvent {
  enum Kind : uint8_t { kFork, kExec, kExit };
  Kind kind = kFork;
  int64_t monotonic_nanos = 0;
  uint32_t pid = 0;
  uint32_t parent_pid = 0;  // kFork
  uint32_t status = 0;      // kExit: as wait() gives it
};

// All events in one datagram. Pure; bytes that are no process event are skipped (AUT-6).
std::vector<ConnectorEvent> DecodeConnector(std::span<const char> datagram);

}  // namespace cordon::platform
