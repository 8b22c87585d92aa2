#pragma once

// The pure half of the Linux packet filter: policy and uplinks to nftables rules. What each level opens, with
// the reasons, is in docs/levels.md.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/api/packet_filter.h"
#include "platform/linux/packet_filter/intervals.h"

namespace cordon::platform {

struct Chain {
  std::string name;
  std::string
      hook;  // "type filter hook input priority -500; policy accept;"; empty for a chain that is jumped to
  std::vector<std::string> rules;  // as `nft list` prints them, counters without numbers
  friend bool operator==(const Chain&, const Chain&) = default;
};

// A named set of addresses: those that a name of the profile stands for now, or many networks of the profile.
struct AddressSet {
  std::string name;  // "names4-0-a", "networks4-0-a"
  bool v6 = false;
  bool ranges = false;  // holds ranges; else single addresses only, which cost one look-up by hash
  std::vector<Interval> elements{};  // sorted, without overlaps
  friend bool operator==(const AddressSet&, const AddressSet&) = default;
};

struct Table {
  std::string family;  // "inet" or "netdev"
  std::string
      header;  // anything before the chains that is no set: flags, other objects. Cordon's own have none
  std::vector<Chain> chains;
  std::vector<AddressSet> sets;
  friend bool operator==(const Table&, const Table&) = default;
};

// An interface other than loopback.
struct Uplink {
  std::string name;
  uint32_t index = 0;
  friend bool operator==(const Uplink&, const Uplink&) = default;
};

// The rules of a policy stand in chains of one of two slots; the hooked chains jump into them. A change fills
// the other slot and turns the jumps, all in one transaction, and leaves the slot that it turns away from as
// it is. Packets that are on their way through the old rules at that moment so meet them whole: in a set that
// the transaction deletes the kernel would find nothing from the moment of the commit on, even for rules of
// before (ISO-1).
enum class Slot : char { kA = 'a', kB = 'b' };
inline Slot Other(Slot slot) {
  return slot == Slot::kA ? Slot::kB : Slot::kA;
}

// "input-a"
std::string SlotChain(std::string_view name, Slot slot);

// "names4-0-a": the IPv4 addresses of FilterPolicy::name_sets[0].
std::string NameSetName(size_t index, bool v6, Slot slot);

// "networks4-0-a": one of the lists of networks that are too long to stand in a rule.
std::string NetworkSetName(size_t index, bool v6, Slot slot);

// True for a chain that is jumped to, or a set, and belongs to `slot`.
bool IsOfSlot(const Chain& chain, Slot slot);
bool IsOfSlot(const AddressSet& set, Slot slot);

// The slot into which the hooked chains of `tables` jump; nothing when they do not agree or do something
// else.
std::optional<Slot> LiveSlot(const std::vector<Table>& tables);

// Packets meet it: a chain of it is hooked, or it could not be read and may have one.
bool IsHooked(const Table& table);

// The tables `inet cordon` and `netdev cordon`; none for kObserve. Equal input gives equal output; the order
// of `uplinks` does not matter. Uplinks whose names nftables has no way to write are left out (see CanHook).
std::vector<Table> MakeRuleset(const FilterPolicy& policy, std::vector<Uplink> uplinks, Slot slot = Slot::kA);

// The sets of the names, in one table, as MakeRuleset makes them.
std::vector<AddressSet> MakeNameSets(const FilterPolicy& policy, Slot slot);

// False for names with quotation marks and other characters that nftables' grammar has no way to write.
bool CanHook(const Uplink& uplink);

// The names of the uplink's chains in the netdev table.
std::string IngressChain(const Uplink& uplink);
std::string EgressChain(const Uplink& uplink);

// The tables as nftables text; `with_elements` false: sets are left empty.
std::string FormatTables(const std::vector<Table>& tables, bool with_elements = true);

}  // namespace cordon::platform
