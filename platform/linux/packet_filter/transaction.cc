#include "platform/linux/packet_filter/transaction.h"

#include <algorithm>
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
std::vector<Table> Only(std::vector<Table> tables, const Wanted& wanted) {
  for (Table& table : tables) {
    std::erase_if(table.chains, [&](const Chain& chain) { return !wanted(chain); });
  }
  return tables;
}

bool IsOfLiveSlot(const Chain& chain, std::optional<Slot> live) {
  return live.has_value() && IsOfSlot(chain, *live);
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

std::string FormatFill(const std::vector<Table>& standing, const std::vector<Table>& wanted) {
  const std::optional<Slot> live = LiveSlot(standing);
  std::string text = FormatDeletion(standing, [&](const Table&, const Chain& chain) {
    return chain.hook.empty() && !IsOfLiveSlot(chain, live);
  });
  return text + FormatTables(Only(wanted, [](const Chain& chain) { return chain.hook.empty(); }));
}

std::string FormatTurn(const std::vector<Table>& standing, const std::vector<Table>& wanted) {
  std::string text = FormatDeletion(standing, [&](const Table& table, const Chain& chain) {
    return !chain.hook.empty() && FindChain(wanted, table.family, chain.name) == nullptr;
  });
  const std::vector<Table> hooked = Only(wanted, [](const Chain& chain) { return !chain.hook.empty(); });
  for (const Table& table : hooked) {
    for (const Chain& chain : table.chains) {
      if (FindChain(standing, table.family, chain.name) == nullptr) continue;
      StrAppend(&text, "flush chain ", Named(table, chain), "\n");
    }
  }
  return text + FormatTables(hooked);
}

std::vector<Table> AfterTurn(const std::vector<Table>& standing, std::vector<Table> wanted) {
  const std::optional<Slot> live = LiveSlot(standing);
  for (Table& table : wanted) {
    const Table* const before = FindTable(standing, table.family);
    if (before == nullptr) continue;
    std::copy_if(before->chains.begin(), before->chains.end(), std::back_inserter(table.chains),
                 [&](const Chain& chain) { return IsOfLiveSlot(chain, live); });
  }
  return wanted;
}

std::string FormatUnhook(const std::vector<Table>& standing) {
  return FormatDeletion(standing, [](const Table&, const Chain& chain) { return !chain.hook.empty(); });
}

std::string FormatTidy(const std::vector<Table>& standing, const std::vector<Table>& wanted) {
  return FormatDeletion(standing, [&](const Table& table, const Chain& chain) {
    return FindChain(wanted, table.family, chain.name) == nullptr;
  });
}

}  // namespace cordon::platform
