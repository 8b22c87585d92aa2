// Records from the kernel side of the process sensor, and messages of the process connector.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "platform/linux/processes/connector_decode.h"
#include "platform/linux/processes/decode.h"
#include "platform/linux/processes/proc_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const char> input(reinterpret_cast<const char*>(data), size);
  const auto record = cordon::platform::DecodeRecord(input);
  if (record.ok() && record->event.fact.valueless_by_exception()) std::abort();
  if (cordon::platform::DecodeConnector(input).size() > size) std::abort();
  const std::string_view text(input.data(), input.size());
  static_cast<void>(cordon::platform::ParseProcStat(text));
  static_cast<void>(cordon::platform::ParseProcStatus(text));
  if (cordon::platform::ParseProcCgroup(text).size() > size + 1) std::abort();
  return 0;
}
