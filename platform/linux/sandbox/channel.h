#pragma once

// Messages over a stream socket: four bytes of length (little-endian), then the bytes. A file comes with the
// first of them, by SCM_RIGHTS.

#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "platform/linux/system/fd.h"

namespace cordon::platform {

struct ChannelMessage {
  std::string bytes;
  std::optional<Fd> file;
};

// `file` < 0: none. UNAVAILABLE: the other side is gone; DEADLINE_EXCEEDED: it takes nothing (SO_SNDTIMEO).
absl::Status SendMessage(int socket, std::string_view bytes, int file);

// Waits for the whole of one. `wait` is called before every read and says whether to go on (OK). UNAVAILABLE
// at the end of the stream, DATA_LOSS when the length is beyond kMaxSandboxMessageBytes.
absl::StatusOr<ChannelMessage> ReceiveMessage(int socket, const std::function<absl::Status()>& wait);

}  // namespace cordon::platform
