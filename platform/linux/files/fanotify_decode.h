#pragma once

// What read() on a fanotify group gives, as records. Pure; every length is checked (AUT-6).

#include <cstdint>
#include <string_view>
#include <vector>

namespace cordon::platform {

// A file system object as the kernel names it: fsid (8 bytes), length (4), type (4), handle. Equal bytes =
// same object, for as long as the file system lives; a number that is used again has another generation in
// its handle.
using HandleKey = std::string_view;

inline constexpr size_t kFsidBytes = 8;
inline constexpr size_t kMaxHandleBytes = 128;  // MAX_HANDLE_SZ

// A name in a folder. `name` is "." for the folder itself.
struct NamedEntry {
  HandleKey folder;
  std::string_view name;
  bool Known() const { return !folder.empty(); }
};

// Views into the buffer that was decoded.
struct FanotifyRecord {
  uint64_t mask = 0;  // FAN_*
  uint32_t pid = 0;
  NamedEntry entry;      // where it happened; of a FAN_RENAME, the old name
  NamedEntry new_entry;  // FAN_RENAME
  HandleKey target;      // the object itself; empty when the kernel does not tell
};

// Appends the records of `buffer`. False when the buffer is malformed: what stands before the damage is
// appended, the rest is not known.
bool DecodeFanotify(std::string_view buffer, std::vector<FanotifyRecord>* records);

// How many events a buffer holds, for counting those that are dropped.
uint64_t CountFanotifyEvents(std::string_view buffer);

}  // namespace cordon::platform
