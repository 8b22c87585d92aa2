#pragma once

// The bytes of the kernel's process events (MOF class Process_TypeGroup1) to facts. No Windows header: tested
// on every system.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace cordon::platform {

// Versions 3 and later of the class, from a 64-bit kernel: Windows 8 and later.
struct EtwProcess {
  uint32_t pid = 0;
  uint32_t parent_pid = 0;
  uint32_t session_id = 0;
  uint32_t exit_code = 0;
  std::string user_sid;         // "S-1-5-18"; empty when the event has none
  std::string image;            // as the kernel shortens it: the file's name
  std::u16string command_line;  // empty when the event has none
};

// Nothing for other versions and for data that is cut short.
std::optional<EtwProcess> DecodeEtwProcess(std::span<const uint8_t> data, uint8_t version);

}  // namespace cordon::platform
