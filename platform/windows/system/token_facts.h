#pragma once

#include <cstdint>
#include <string>

#include "platform/windows/system/windows.h"

namespace cordon::platform {

// Whom a process runs for.
struct TokenFacts {
  std::string user_sid;          // "S-1-5-21-…"; empty when it may not be asked
  uint32_t integrity_level = 0;  // 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system; 0: likewise
};

// `process` needs PROCESS_QUERY_LIMITED_INFORMATION.
TokenFacts ReadToken(HANDLE process);

// "S-1-…"; empty for what is none.
std::string SidText(PSID sid);

}  // namespace cordon::platform
