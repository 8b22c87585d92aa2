// Text that people and files give: times, networks, endpoints, hexadecimal.

#include "common/base/text.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/hex.h"
#include "common/base/network.h"
#include "common/base/uuid.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto nanos = cordon::ParseDuration(input); nanos.ok() && *nanos <= 0) std::abort();
  if (const auto network = cordon::ParseNetwork(input); network.ok()) {
    if (*cordon::ParseNetwork(cordon::FormatNetwork(*network)) != *network) std::abort();
  }
  if (const auto endpoint = cordon::ParseHostPort(input); endpoint.ok() && endpoint->port == 0) std::abort();
  if (const auto bytes = cordon::HexDecode(input); bytes.ok() && bytes->size() * 2 != input.size())
    std::abort();
  if (!cordon::IsPlainText(cordon::Printable(input), size * 4)) std::abort();
  static_cast<void>(cordon::IsUuid(input));
  return 0;
}
