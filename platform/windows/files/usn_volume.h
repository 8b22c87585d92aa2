#pragma once

// What is asked of a volume that keeps a journal of changes. No Windows header; the implementation is
// usn_journal.cc, and tests have their own.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "platform/windows/files/usn_decode.h"

namespace cordon::platform {

struct UsnJournal {
  uint64_t id = 0;        // another one when the journal was deleted and made anew
  int64_t first_usn = 0;  // of the oldest record that is kept
  int64_t next_usn = 0;   // of the next one that is written
};

// Used by one thread at a time.
class UsnVolume {
 public:
  virtual ~UsnVolume() = default;

  virtual absl::StatusOr<UsnJournal> Query() = 0;

  // What DecodeUsnPage takes: records from this one on, as many as go into one buffer; none at the end.
  // OUT_OF_RANGE: it is no longer kept.
  virtual absl::StatusOr<std::vector<uint8_t>> Read(uint64_t journal, int64_t from) = 0;

  // Where this folder is now, with its drive: "C:\Users\ann". NOT_FOUND when it is gone.
  virtual absl::StatusOr<std::u16string> PathOfFolder(const UsnFileId& folder) = 0;
};

}  // namespace cordon::platform
