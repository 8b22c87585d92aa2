#pragma once

#include <absl/status/statusor.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "common/wire/batch_codec.h"

namespace cordon::testing {

// The payload of a list as tests make it, offsets and all.
inline absl::StatusOr<std::string> EncodeList(const v1::EventList& list) {
  std::vector<TimedEvent> events;
  for (v1::Event event : list.events()) {
    const int64_t time = list.base_time_unix_nanos() + event.time_offset_nanos();
    event.clear_time_offset_nanos();
    events.push_back(Serialise(time, event));
  }
  return EncodeEvents(list.base_time_unix_nanos(), events);
}

// Any bytes as the payload of a batch: also what no host makes.
inline std::string Zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  return out;
}

}  // namespace cordon::testing
