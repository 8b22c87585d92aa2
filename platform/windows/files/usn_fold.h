#pragma once

// Records of a volume's journal to changes. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "platform/api/file_source.h"
#include "platform/windows/files/usn_decode.h"

namespace cordon::platform {

struct UsnName {
  UsnFileId folder;
  std::u16string name;
  friend bool operator==(const UsnName&, const UsnName&) = default;
};

struct UsnChange {
  // kCreated, kModified, kDeleted, kRenamed or kAttributes. Another hard link, or one less, is kAttributes:
  // the record does not tell which.
  RawFileEvent::Kind kind = RawFileEvent::kCreated;
  bool is_directory = false;
  UsnName at;
  UsnName old;  // kRenamed; no name: the record of it came before the first that was read
  uint64_t file_time = 0;
};

// The reasons of a file's records add up until it is closed: each is told when it is new. Not thread-safe.
class UsnFold {
 public:
  // Nothing, one change or several, in the order in which a person would tell them.
  std::vector<UsnChange> Add(const UsnRecord& record);

 private:
  // More files that are open at once than this, and all are forgotten: their changes are told once more.
  static constexpr size_t kMostOpen = 20'000;

  struct Open {
    uint32_t told = 0;  // reasons
    UsnName old;        // a rename's first half
  };

  std::map<UsnFileId, Open> open_;
};

}  // namespace cordon::platform
