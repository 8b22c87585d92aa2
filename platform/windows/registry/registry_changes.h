#pragma once

// Two looks at a part of the registry to what changed between them. Pure.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "platform/api/file_source.h"

namespace cordon::platform {

struct RegistryEntry {
  bool is_key = false;
  uint64_t size = 0;   // of a value's data
  std::string sha256;  // over it; empty: of a key, or longer than is read
  std::string text;    // the data as RegistryText has it
  friend bool operator==(const RegistryEntry& a, const RegistryEntry& b) {  // the text is the data's
    return a.is_key == b.is_key && a.size == b.size && a.sha256 == b.sha256;
  }
};

using RegistrySnapshot = std::map<std::string, RegistryEntry>;  // by path (registry_path.h)

struct RegistryChange {
  RawFileEvent::Kind kind = RawFileEvent::kCreated;  // kCreated, kModified, kDeleted
  std::string path;
  RegistryEntry entry;  // as it is now; of kDeleted as it was
};

// By path. What `after` has not is deleted only when it is whole.
std::vector<RegistryChange> CompareSnapshots(const RegistrySnapshot& before, const RegistrySnapshot& after,
                                             bool whole);

// `type` as the registry has it (REG_SZ = 1, …).
RegistryEntry EntryOfValue(uint32_t type, std::span<const uint8_t> data);

// Texts as they are, several with " | " between them, numbers as numbers, the rest in hexadecimal; at most
// 256 bytes, then "…".
std::string RegistryText(uint32_t type, std::span<const uint8_t> data);

}  // namespace cordon::platform
