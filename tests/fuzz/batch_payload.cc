#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/wire/batch_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cordon::DecodeEvents(input, 1));
  // Behind the compression: any list that can be packed comes back whole.
  cordon::v1::EventList events;
  if (!events.ParseFromString(input)) return 0;
  const auto packed = cordon::EncodeEvents(events);
  if (!packed.ok()) return 0;
  const auto count = static_cast<uint32_t>(events.events_size());
  const auto unpacked = cordon::DecodeEvents(*packed, count);
  if (!unpacked.ok() || unpacked->events_size() != events.events_size()) std::abort();
  if (cordon::DecodeEvents(*packed, count + 1).ok()) std::abort();
  return 0;
}
