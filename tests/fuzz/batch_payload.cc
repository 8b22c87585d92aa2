#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/wire/batch_codec.h"
#include "common/wire/message_parts.h"
#include "tests/support/encode_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cordon::DecodeEvents(input, 1));
  static_cast<void>(cordon::CheckParts(*cordon::v1::EventList::descriptor(), input, 8));
  // Behind the compression: any list that can be packed comes back whole.
  cordon::v1::EventList events;
  if (!events.ParseFromString(input)) return 0;
  // As a host makes it: no time is before 1970.
  events.set_base_time_unix_nanos(0);
  for (cordon::v1::Event& event : *events.mutable_events()) {
    event.set_time_offset_nanos(std::max<int64_t>(0, event.time_offset_nanos()));
  }
  const auto packed = cordon::testing::EncodeList(events);
  if (!packed.ok()) return 0;
  const auto count = static_cast<uint32_t>(events.events_size());
  const auto unpacked = cordon::DecodeEvents(*packed, count);
  if (!unpacked.ok() || unpacked->events_size() != events.events_size()) std::abort();
  if (cordon::DecodeEvents(*packed, count + 1).ok()) std::abort();
  return 0;
}
