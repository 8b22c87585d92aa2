#pragma once

#include <absl/status/statusor.h>

#include <span>

#include "platform/api/process_source.h"

namespace cordon::platform {

struct DecodedRecord {
  RawProcessEvent event;
  bool kernel_thread = false;
  bool argv_missing = false;  // an exec whose arguments the record does not hold: to be read from /proc
};

// One record of record.h, from the ring or from the snapshot. Pure. Every length in it is checked against the
// bytes that are there (AUT-6). INVALID_ARGUMENT, naming what is wrong, for bytes that no version of ours
// writes.
absl::StatusOr<DecodedRecord> DecodeRecord(std::span<const char> bytes);

}  // namespace cordon::platform
