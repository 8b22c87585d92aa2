#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cordon::platform {

// One event of the kernel's process connector. Forks and ends of threads are left out by the decoder, and
// tracers that let go.
struct ConnectorEvent {
  enum Kind : uint8_t { kFork, kExec, kExit, kUserId, kGroupId, kTrace };
  Kind kind = kFork;
  int64_t monotonic_nanos = 0;
  uint32_t pid = 0;
  uint32_t parent_pid = 0;    // kFork
  uint32_t status = 0;        // kExit: as wait() gives it
  uint32_t effective_id = 0;  // kUserId, kGroupId: the new one
  uint32_t tracer_pid = 0;    // kTrace
};

// All events in one datagram. Pure; bytes that are no process event are skipped (AUT-6).
std::vector<ConnectorEvent> DecodeConnector(std::span<const char> datagram);

}  // namespace cordon::platform
