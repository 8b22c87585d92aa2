#include "platform/linux/packet_filter/readback.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/linux/packet_filter/table_reader.h"

namespace cordon::platform {
namespace {

// "interface" for people, with what is strange about its name visible.
std::string NotHooked(const Uplink& uplink) {
  return StrCat(
      "interface ", Printable(uplink.name), " (number ", uplink.index,
      ") has a name that nftables cannot take: raw sockets, bridges and macvlans on it are not covered; "
      "rename the interface");
}

const Listing* OfFamily(const std::vector<Listing>& found, std::string_view family) {
  const auto at = std::find_if(found.begin(), found.end(),
                               [&](const Listing& listing) { return listing.table.family == family; });
  return at == found.end() ? nullptr : &*at;
}

// Without what judges no packet: the slot that is not live, and chains of interfaces that have gone
// (kernels from 6.16 on keep them, and hook the interface again when it returns).
Table WithoutIdle(Table found, const Table& intended, Slot live) {
  std::erase_if(found.sets, [&](const AddressSet& set) { return IsOfSlot(set, Other(live)); });
  std::erase_if(found.chains, [&](const Chain& chain) {
    if (IsOfSlot(chain, Other(live))) return true;
    const bool of_uplink = chain.name.starts_with("ingress/") || chain.name.starts_with("egress/");
    const bool wanted = std::any_of(intended.chains.begin(), intended.chains.end(),
                                    [&](const Chain& other) { return other.name == chain.name; });
    const bool harmless = chain.rules == std::vector<std::string>{"jump " + SlotChain("into-host", live)} ||
                          chain.rules == std::vector<std::string>{"jump " + SlotChain("out-of-host", live)};
    return of_uplink && !wanted && harmless;
  });
  return found;
}

// `wanted` in the canonical form, here and below.
void Compare(std::string_view family, const std::vector<Listing>& found, const std::vector<Table>& wanted,
             Slot live, FilterReadback* readback) {
  const auto want =
      std::find_if(wanted.begin(), wanted.end(), [&](const Table& t) { return t.family == family; });
  const Listing* const have = OfFamily(found, family);
  const std::string name = StrCat("table ", family, " cordon");
  if (have == nullptr) {
    if (want != wanted.end()) readback->differences.push_back(name + " is missing");
    return;
  }
  readback->dropped_packets += have->dropped_packets;
  if (want == wanted.end()) {
    readback->differences.push_back(name + " still stands");
    return;
  }
  for (std::string& difference : Differences(*want, WithoutIdle(have->table, *want, live))) {
    readback->differences.push_back(std::move(difference));
  }
}

// Uplinks whose two chains, and the rules they jump to, are as intended.
std::vector<std::string> HookedUplinks(const std::vector<Table>& wanted, const std::vector<Listing>& found,
                                       const std::vector<Uplink>& uplinks, Slot live) {
  std::vector<std::string> hooked;
  const Listing* const have = OfFamily(found, "netdev");
  if (wanted.empty() || have == nullptr) return hooked;
  const Table& intended = wanted.back();
  const auto as_intended = [&](const std::string& name) {
    const auto named = [&](const Chain& chain) { return chain.name == name; };
    const auto want = std::find_if(intended.chains.begin(), intended.chains.end(), named);
    const auto is = std::find_if(have->table.chains.begin(), have->table.chains.end(), named);
    return want != intended.chains.end() && is != have->table.chains.end() && *want == *is;
  };
  if (!as_intended(SlotChain("into-host", live)) || !as_intended(SlotChain("out-of-host", live)))
    return hooked;
  for (const Uplink& uplink : uplinks) {
    if (as_intended(IngressChain(uplink)) && as_intended(EgressChain(uplink))) hooked.push_back(uplink.name);
  }
  std::sort(hooked.begin(), hooked.end());
  return hooked;
}

}  // namespace

FilterReadback Judge(const FilterPolicy& intended, const std::vector<Uplink>& uplinks,
                     const std::vector<Listing>& found) {
  FilterReadback readback;
  readback.absent =
      std::ranges::none_of(found, [](const Listing& listing) { return IsHooked(listing.table); });
  const Slot live = LiveSlot(TablesOf(found)).value_or(Slot::kA);
  std::vector<Table> wanted = MakeRuleset(intended, uplinks, live);
  readback.ruleset_sha256 = Sha256(FormatTables(live == Slot::kA ? wanted : MakeRuleset(intended, uplinks)));
  for (Table& table : wanted) table = Canonical(std::move(table));
  for (const std::string_view family : kFamilies) Compare(family, found, wanted, live, &readback);
  readback.uplinks = HookedUplinks(wanted, found, uplinks, live);
  if (intended.level != Level::kObserve) {
    for (const Uplink& uplink : uplinks) {
      if (!CanHook(uplink)) readback.differences.push_back(NotHooked(uplink));
    }
  }
  readback.matches = readback.differences.empty();
  return readback;
}

}  // namespace cordon::platform
