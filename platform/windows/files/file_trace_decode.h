#pragma once

// The bytes of Microsoft-Windows-Kernel-File's events to records. No Windows header: tested on every system.
// Layouts: the provider's manifest in Windows 10.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cordon::platform {

// What is asked of the provider. FILEIO alone has what sets information and closes; it stands for reading and
// asking as well, which the list of events keeps out.
inline constexpr uint64_t kFileTraceKeywords = 0x10 |   // FILENAME
                                               0x20 |   // FILEIO
                                               0x80 |   // CREATE
                                               0x200 |  // WRITE
                                               0x400 |  // DELETE_PATH
                                               0x800 |  // RENAME_SETLINK_PATH
                                               0x1000;  // CREATE_NEW_FILE
std::vector<uint16_t> FileTraceEvents();

// An operation as the kernel begins it; whether it succeeds is not told. `object` is one opening of a file,
// `key` the file itself for as long as anybody has it open; both are addresses, and are used again.
struct FileTraceRecord {
  enum Kind : uint8_t {
    kName,      // `key` is the file at `path`
    kNameGone,  // it stands for nothing any more
    kOpen,      // `object` is an opening of `path`
    kMake,      // likewise, and the file is new
    kWrite,
    kSetInformation,  // times, attributes, length, access control, extended attributes
    kClose,           // the last handle of `object`
    kDelete,          // `path`, when its last handle is closed
    kRename,          // to `path`
    kLink,            // another name, `path`
  };
  Kind kind = kName;
  uint64_t object = 0;
  uint64_t key = 0;
  uint32_t thread = 0;            // that asked for it; 0: the event does not say
  bool overwrites = false;        // kOpen: whatever is there
  bool deletes_on_close = false;  // kOpen, kMake
  std::u16string path{};          // as the kernel has it: "\Device\HarddiskVolume3\Users\ann\a.txt"
};

// Nothing for other events, for versions before Windows 8, for data that is cut short, and for what changes
// nothing that a watch tells: the memory manager's own writing, a handle's position.
std::optional<FileTraceRecord> DecodeFileTrace(uint16_t event, uint8_t version,
                                               std::span<const uint8_t> data);

}  // namespace cordon::platform
