#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/packet_filter/set_elements.h"
#include "platform/linux/packet_filter/table_finder.h"

namespace cordon::platform {

// The families in which Cordon has a table.
inline constexpr std::string_view kFamilies[] = {"inet", "netdev"};

// The block of one table in a listing of many, under the name that ParseListing knows. INVALID_ARGUMENT when
// there is not exactly one.
absl::StatusOr<std::string> TableIn(std::string_view listing, std::string_view family, std::string_view name);

// What the kernel holds in tables of one name.
class TableReader {
 public:
  // Works in the network namespace in which the calling thread is now. `name`: "cordon", "cordon-watch".
  explicit TableReader(std::string name) : name_(std::move(name)) {}

  // The tables that stand. One that cannot be read says why in its header: it differs from every table that
  // Cordon makes. Sets of the slot that is not live are left empty.
  absl::StatusOr<std::vector<Listing>> Read();

 private:
  absl::StatusOr<std::string> TextOf(std::string_view family, const absl::StatusOr<std::string>& all);
  void ReadSets(std::vector<Listing>* found);

  std::string name_;
  Nft nft_;
  TableFinder finder_;
  SetElements elements_;
};

std::vector<Table> TablesOf(const std::vector<Listing>& found);

}  // namespace cordon::platform
