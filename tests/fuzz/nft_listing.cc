// What nftables prints of the kernel's rules: anybody with the right to may have put anything there.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "platform/linux/packet_filter/listing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto listing = cordon::platform::ParseListing(input);
  if (listing.ok() && !cordon::platform::Differences(listing->table, listing->table).empty()) std::abort();
  return 0;
}
