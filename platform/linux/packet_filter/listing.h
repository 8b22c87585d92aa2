#pragma once

// The pure half of reading back: what `nft list table` prints, as tables again, and what differs (ISO-7).

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/linux/packet_filter/ruleset.h"

namespace cordon::platform {

struct Listing {
  Table table;
  uint64_t dropped_packets = 0;  // the sum over all counters of rules that drop
  uint64_t counted_packets = 0;  // the sum over all counters
};

// One table as listed, with or without the elements of its sets. Counter values are taken out of the rules
// and elements of sets are sorted, so that equal content gives equal tables. INVALID_ARGUMENT for text of
// another shape: the kernel then holds what Cordon would not write, or this nftables prints in a way that is
// not known here.
absl::StatusOr<Listing> ParseListing(std::string_view text);

// The same form for intended rules.
Table Canonical(Table table);

// What differs, one sentence each, at most a few dozen; empty when the content is equal. The order of chains
// does not matter, that of rules does. Both canonical.
std::vector<std::string> Differences(const Table& intended, const Table& found);

}  // namespace cordon::platform
