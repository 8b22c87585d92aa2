#pragma once

// The bytes of ReadDirectoryChangesW to changes. No Windows header: tested on every system.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cordon::platform {

struct NotifyRecord {
  enum Action : uint32_t { kAdded = 1, kRemoved = 2, kModified = 3, kRenamedFrom = 4, kRenamedTo = 5 };
  uint32_t action = 0;
  std::u16string name;  // below the watched folder
};

// Records up to the first that is not whole; `whole` tells whether all were.
std::vector<NotifyRecord> DecodeNotifications(std::span<const uint8_t> bytes, bool* whole);

}  // namespace cordon::platform
