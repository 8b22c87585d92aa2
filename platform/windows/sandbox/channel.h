#pragma once

// Frames, each one message, over a pipe between the agent and its child: four bytes of length and eight of a
// file's handle in the child (0: none), both little-endian, then the bytes.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "platform/windows/system/windows.h"

namespace cordon::platform {

struct Frame {
  std::string bytes;
  uint64_t file = 0;  // whoever receives it owns it
};

// Called again and again while a call that was begun is not done; OK: wait on. Null for a pipe that is not
// overlapped, whose calls end by themselves.
using PipeWait = std::function<absl::Status(HANDLE done)>;

// UNAVAILABLE: the other side is gone. What `wait` says otherwise ends the call; the pipe is of no more use
// then.
absl::Status SendFrame(HANDLE pipe, std::string_view bytes, uint64_t file, const PipeWait& wait);

// The same, and DATA_LOSS when the length is beyond kMaxSandboxMessageBytes.
absl::StatusOr<Frame> ReceiveFrame(HANDLE pipe, const PipeWait& wait);

}  // namespace cordon::platform
