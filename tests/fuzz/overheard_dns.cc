// Packets that arrive at the host, as the observer of names takes them (AUT-6).

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/flows/dns_names.h"
#include "platform/linux/flows/udp_payload.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto payload = cordon::platform::UdpPayload(bytes)) cordon::agent::ReadOverheardAnswer(*payload);
  if (const auto seen = cordon::agent::ReadOverheardAnswer(bytes)) {
    if (seen->name.empty() || seen->name.size() > 253) std::abort();
    if (seen->addresses.empty() || seen->addresses.size() > cordon::agent::kMaxSeenAddresses) std::abort();
  }
  return 0;
}
