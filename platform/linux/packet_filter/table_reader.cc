#include "platform/linux/packet_filter/table_reader.h"

#include <optional>
#include <utility>

#include "common/base/status.h"

namespace cordon::platform {

absl::StatusOr<std::string> TableIn(std::string_view listing, std::string_view family,
                                    std::string_view name) {
  const std::string first = StrCat("table ", family, " ", name, " {\n");
  std::string block;
  for (size_t at = listing.find(first); at != std::string_view::npos; at = listing.find(first, at + 1)) {
    if (at != 0 && listing[at - 1] != '\n') continue;
    if (!block.empty())
      return absl::InvalidArgumentError(StrCat("two tables are listed as ", family, " ", name));
    const std::string_view body = listing.substr(at + first.size());
    const size_t end = body.starts_with("}\n") ? 0 : body.find("\n}\n");
    if (end == std::string_view::npos) break;
    block = StrCat("table ", family, " cordon {\n", body.substr(0, end), "\n}\n");
  }
  if (block.empty()) return absl::InvalidArgumentError(StrCat("table ", family, " ", name, " is not listed"));
  return block;
}

// Libnftables reads every element for `list table`, but not for `list ruleset`; that one takes as long for
// one family as for all, so it is asked once. Should somebody else's rules be ones that it cannot list, the
// slower way is taken.
absl::StatusOr<std::string> TableReader::TextOf(std::string_view family,
                                                const absl::StatusOr<std::string>& all) {
  if (absl::IsPermissionDenied(all.status())) return all.status();
  if (all.ok()) {
    absl::StatusOr<std::string> table = TableIn(*all, family, name_);
    if (table.ok()) return table;
  }
  CORDON_ASSIGN_OR_RETURN(const std::string one, nft_.RunTerse(StrCat("list table ", family, " ", name_)));
  return TableIn(one, family, name_);
}

absl::StatusOr<std::vector<Listing>> TableReader::Read() {
  std::vector<std::string_view> families;
  for (const std::string_view family : kFamilies) {
    CORDON_ASSIGN_OR_RETURN(const bool stands, finder_.Stands(family, name_));
    if (stands) families.push_back(family);
  }
  std::vector<Listing> found;
  if (families.empty()) return found;
  const absl::StatusOr<std::string> all = nft_.RunTerse("list ruleset");
  for (const std::string_view family : families) {
    const absl::StatusOr<std::string> text = TextOf(family, all);
    if (!text.ok() && !absl::IsInvalidArgument(text.status())) return text.status();
    absl::StatusOr<Listing> listing = text.ok() ? ParseListing(*text) : text.status();
    if (!listing.ok()) {
      listing = Listing{.table = {.family = std::string(family),
                                  .header = std::string(Message(listing.status())),
                                  .chains = {},
                                  .sets = {}},
                        .dropped_packets = 0,
                        .counted_packets = 0};
    }
    found.push_back(*std::move(listing));
  }
  ReadSets(&found);
  return found;
}

void TableReader::ReadSets(std::vector<Listing>* found) {
  const std::optional<Slot> live = LiveSlot(TablesOf(*found));
  for (Listing& listing : *found) {
    for (AddressSet& set : listing.table.sets) {
      if (live.has_value() && IsOfSlot(set, Other(*live))) continue;
      const absl::Status read = elements_.Read(listing.table.family, name_, &set);
      if (!read.ok()) StrAppend(&listing.table.header, Message(read), "\n");
    }
  }
}

std::vector<Table> TablesOf(const std::vector<Listing>& found) {
  std::vector<Table> tables;
  tables.reserve(found.size());
  for (const Listing& listing : found) tables.push_back(listing.table);
  return tables;
}

}  // namespace cordon::platform
