// isolation.state as a broken disk gives it back (ISO-5).

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/isolation/two_slots.h"

namespace agent = cordon::agent;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(agent::ReadTwoSlots(input));
  // Any content comes back whole.
  const std::string file = agent::MakeTwoSlots(5, input);
  const auto read = agent::ReadTwoSlots(file);
  if (!read.ok() || read->content != input || read->generation != 5) std::abort();
  // Whatever a power cut leaves of the next one: the old or the new.
  std::string torn = file;
  const std::string next = agent::MakeSlot(6, "the next one");
  const size_t kept = std::min(next.size(), size == 0 ? size_t{0} : size_t{data[0]});
  torn.replace(agent::SlotOffset(6, read->slot_bytes), kept, next, 0, kept);
  torn.replace(agent::SlotOffset(6, read->slot_bytes) + next.size(), std::min(size, size_t{1000}), input, 0,
               std::min(size, size_t{1000}));
  const auto after = agent::ReadTwoSlots(torn);
  if (!after.ok() || (after->content != input && after->content != "the next one")) std::abort();
  return 0;
}
