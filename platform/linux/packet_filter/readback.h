#pragma once

// The pure half of reading back (ISO-7): what the kernel lists, beside what was meant.

#include <vector>

#include "platform/api/packet_filter.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/ruleset.h"

namespace cordon::platform {

// `uplinks`: every one that exists now. `found`: Cordon's tables as the kernel has them; what stands in the
// slot that is not live, and chains of interfaces that have gone, judge no packet and do not count.
FilterReadback Judge(const FilterPolicy& intended, const std::vector<Uplink>& uplinks,
                     const std::vector<Listing>& found);

}  // namespace cordon::platform
