#include "platform/linux/packet_filter/transaction.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

const Table* FindTable(const std::vector<Table>& tables, const std::string& family) {
  const auto found =
      std::find_if(tables.begin(), tables.end(), [&](const Table& table) { return table.family == family; });
  return found == tables.end() ? nullptr : &*found;
}

const Chain* FindChain(const std::vector<Table>& tables, const std::string& family, const std::string& name) {
  const Table* const table = FindTable(tables, family);
  if (table == nullptr) return nullptr;
  const auto found = std::find_if(table->chains.begin(), table->chains.end(),
                                  [&](const Chain& chain) { return chain.name == name; });
  return found == table->chains.end() ? nullptr : &*found;
}

std::string Named(const Table& table, const Chain& chain) {
  return StrCat(table.family, " cordon ", chain.name);
}

const AddressSet* FindSet(const std::vector<Table>& tables, const std::string& family,
                          const std::string& name) {
  const Table* const table = FindTable(tables, family);
  if (table == nullptr) return nullptr;
  const auto found = std::ranges::find(table->sets, name, &AddressSet::name);
  return found == table->sets.end() ? nullptr : &*found;
}

template <typename Gone>
std::string FormatSetDeletion(const std::vector<Table>& standing, const Gone& gone) {
  std::string deletions;
  for (const Table& table : standing) {
    for (const AddressSet& set : table.sets) {
      if (gone(table, set)) StrAppend(&deletions, "delete set ", table.family, " cordon ", set.name, "\n");
    }
  }
  return deletions;
}

// Chains of `standing` for which `gone` holds. All are emptied before any is deleted: they may jump to each
// other.
template <typename Gone>
std::string FormatDeletion(const std::vector<Table>& standing, const Gone& gone) {
  std::string flushes;
  std::string deletions;
  for (const Table& table : standing) {
    for (const Chain& chain : table.chains) {
      if (!gone(table, chain)) continue;
      StrAppend(&flushes, "flush chain ", Named(table, chain), "\n");
      StrAppend(&deletions, "delete chain ", Named(table, chain), "\n");
    }
  }
  return flushes + deletions;
}

template <typename Wanted>
std::vector<Table> Only(std::vector<Table> tables, const Wanted& wanted, bool with_sets) {
  for (Table& table : tables) {
    if (!with_sets) table.sets.clear();
    std::erase_if(table.chains, [&](const Chain& chain) { return !wanted(chain); });
  }
  return tables;
}

template <typename ChainOrSet>
bool IsOfLiveSlot(const ChainOrSet& it, std::optional<Slot> live) {
  return live.has_value() && IsOfSlot(it, *live);
}

// `tables` and, of what stands, the live slot and the chains that `kept` names.
template <typename Kept>
std::vector<Table> WithLiveSlot(std::vector<Table> tables, const std::vector<Table>& standing,
                                const Kept& kept) {
  const std::optional<Slot> live = LiveSlot(standing);
  for (Table& table : tables) {
    const Table* const before = FindTable(standing, table.family);
    if (before == nullptr) continue;
    std::copy_if(before->chains.begin(), before->chains.end(), std::back_inserter(table.chains),
                 [&](const Chain& chain) { return IsOfLiveSlot(chain, live) || kept(chain); });
    std::copy_if(before->sets.begin(), before->sets.end(), std::back_inserter(table.sets),
                 [&](const AddressSet& set) { return IsOfLiveSlot(set, live); });
  }
  return tables;
}

}  // namespace

std::string FormatRemoval() {
  // A table that does not exist cannot be deleted, so it is added first; one that exists is left as it is by
  // that.
  std::string text;
  for (const std::string_view family : {"inet", "netdev"}) {
    StrAppend(&text, "add table ", family, " cordon\ndelete table ", family, " cordon\n");
  }
  return text;
}

std::string FormatFresh(const std::vector<Table>& wanted) {
  return FormatRemoval() + FormatTables(wanted);
}

std::string FormatFill(const std::vector<Table>& standing, const std::vector<Table>& wanted,
                       bool with_elements) {
  const std::optional<Slot> live = LiveSlot(standing);
  std::string text = FormatDeletion(standing, [&](const Table&, const Chain& chain) {
    return chain.hook.empty() && !IsOfLiveSlot(chain, live);
  });
  text += FormatSetDeletion(standing,
                            [&](const Table&, const AddressSet& set) { return !IsOfLiveSlot(set, live); });
  const std::vector<Table> filled = Only(wanted, [](const Chain& chain) { return chain.hook.empty(); }, true);
  // Refused when one is there after all: rules must not be added to those of a slot that is live.
  for (const Table& table : filled) {
    StrAppend(&text, "add table ", table.family, " cordon\n");
    for (const Chain& chain : table.chains) StrAppend(&text, "create chain ", Named(table, chain), "\n");
  }
  return text + FormatTables(filled, with_elements);
}

std::vector<ElementChange> ElementsToFill(const std::vector<Table>& wanted) {
  std::vector<ElementChange> changes;
  for (const Table& table : wanted) {
    for (const AddressSet& set : table.sets)
      changes.push_back({.family = table.family, .set = &set, .added = RawElementsOf(set), .removed = {}});
  }
  return changes;
}

std::string FormatTurn(const std::vector<Table>& standing, const std::vector<Table>& wanted) {
  std::string text = FormatDeletion(standing, [&](const Table& table, const Chain& chain) {
    return !chain.hook.empty() && FindChain(wanted, table.family, chain.name) == nullptr;
  });
  const std::vector<Table> hooked =
      Only(wanted, [](const Chain& chain) { return !chain.hook.empty(); }, false);
  for (const Table& table : hooked) {
    for (const Chain& chain : table.chains) {
      if (FindChain(standing, table.family, chain.name) == nullptr) continue;
      StrAppend(&text, "flush chain ", Named(table, chain), "\n");
    }
  }
  return text + FormatTables(hooked);
}

std::vector<Table> AfterFill(const std::vector<Table>& standing, std::vector<Table> wanted) {
  wanted = Only(std::move(wanted), [](const Chain& chain) { return chain.hook.empty(); }, true);
  return WithLiveSlot(std::move(wanted), standing, [](const Chain& chain) { return !chain.hook.empty(); });
}

std::vector<Table> AfterTurn(const std::vector<Table>& standing, std::vector<Table> wanted) {
  return WithLiveSlot(std::move(wanted), standing, [](const Chain&) { return false; });
}

std::string FormatUnhook(const std::vector<Table>& standing) {
  return FormatDeletion(standing, [](const Table&, const Chain& chain) { return !chain.hook.empty(); });
}

std::string FormatTidy(const std::vector<Table>& standing, const std::vector<Table>& wanted) {
  std::string text = FormatDeletion(standing, [&](const Table& table, const Chain& chain) {
    return FindChain(wanted, table.family, chain.name) == nullptr;
  });
  return text + FormatSetDeletion(standing, [&](const Table& table, const AddressSet& set) {
           return FindSet(wanted, table.family, set.name) == nullptr;
         });
}

std::vector<ElementChange> NameChanges(const std::vector<Table>& standing,
                                       const std::vector<AddressSet>& wanted) {
  std::vector<ElementChange> changes;
  for (const Table& table : standing) {
    for (const AddressSet& set : wanted) {
      const AddressSet* const now = FindSet(standing, table.family, set.name);
      ElementChange& change = changes.emplace_back(ElementChange{.family = table.family, .set = &set});
      const std::vector<RawElement> before = now == nullptr ? std::vector<RawElement>() : RawElementsOf(*now);
      const std::vector<RawElement> after = RawElementsOf(set);
      std::ranges::set_difference(after, before, std::back_inserter(change.added));
      std::ranges::set_difference(before, after, std::back_inserter(change.removed));
    }
  }
  return changes;
}

}  // namespace cordon::platform
