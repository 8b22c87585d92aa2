#pragma once

// The bytes of FSCTL_READ_USN_JOURNAL to records: the USN that comes next, then USN_RECORD_V2 or V3 one
// behind the other. No Windows header: tested on every system. Layouts: winioctl.h of Windows' SDK.

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cordon::platform {

// Of a file or folder on its volume. NTFS uses the low half, with a count in it that changes when the number
// is used anew; ReFS uses both.
struct UsnFileId {
  uint64_t low = 0;
  uint64_t high = 0;
  friend auto operator<=>(const UsnFileId&, const UsnFileId&) = default;
};

struct UsnRecord {
  // Of USN_REASON_*, those that are looked at. They add up from the first change to kClose.
  enum Reason : uint32_t {
    kDataOverwrite = 0x1,
    kDataExtend = 0x2,
    kDataTruncation = 0x4,
    kNamedDataOverwrite = 0x10,  // of another stream of the file
    kNamedDataExtend = 0x20,
    kNamedDataTruncation = 0x40,
    kFileCreate = 0x100,
    kFileDelete = 0x200,
    kEaChange = 0x400,
    kSecurityChange = 0x800,
    kRenameOldName = 0x1000,
    kRenameNewName = 0x2000,
    kBasicInfoChange = 0x8000,
    kHardLinkChange = 0x10000,
    kCompressionChange = 0x20000,
    kEncryptionChange = 0x40000,
    kReparsePointChange = 0x100000,
    kStreamChange = 0x200000,
    kTransactedChange = 0x400000,
    kClose = 0x80000000,
  };
  UsnFileId file;
  UsnFileId parent;  // the folder that `name` is in
  int64_t usn = 0;
  uint64_t file_time = 0;  // 100 ns since 1601
  uint32_t reason = 0;
  bool is_directory = false;
  std::u16string name;
};

struct UsnPage {
  int64_t next_usn = 0;  // where to read on
  std::vector<UsnRecord> records;
  bool whole = false;  // no record was cut short, of another version, or with lengths that lead outside
};

// Records up to the first whose length leads outside; others that cannot be read are left out.
UsnPage DecodeUsnPage(std::span<const uint8_t> bytes);

}  // namespace cordon::platform
