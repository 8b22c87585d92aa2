#include "platform/linux/packet_filter/watch.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kWhere = "priority 500; policy accept;";
constexpr std::string_view kDrop = "counter drop";
constexpr std::string_view kOwnName = " cordon {";
constexpr std::string_view kWatchName = " cordon-watch {";

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  for (size_t at = text->find(from); at != std::string::npos; at = text->find(from, at + to.size())) {
    text->replace(at, from.size(), to);
  }
}

// The same rules, none of which decides about a packet: a permit ends the chain, a drop becomes a count.
std::vector<std::string> Counting(std::vector<std::string> rules) {
  for (std::string& rule : rules) {
    if (rule.ends_with(kDrop)) rule.resize(rule.size() - std::string_view(" drop").size());
  }
  return rules;
}

const Chain* Find(const Table& table, const std::string& name) {
  const auto found = std::find_if(table.chains.begin(), table.chains.end(),
                                  [&](const Chain& chain) { return chain.name == name; });
  return found == table.chains.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Table> MakeWatch(const FilterPolicy& policy, std::vector<Uplink> uplinks) {
  std::sort(uplinks.begin(), uplinks.end(), [](const Uplink& a, const Uplink& b) { return a.name < b.name; });
  const std::vector<Table> rules = MakeRuleset(policy, uplinks, Slot::kA);
  std::vector<Table> watch;
  for (const Table& table : rules) {
    const bool inet = table.family == "inet";
    const Chain* const judged = Find(table, SlotChain(inet ? "input" : "out-of-host", Slot::kA));
    if (judged == nullptr) continue;
    Table& counting = watch.emplace_back(
        Table{.family = table.family, .header = table.header, .chains = {}, .sets = table.sets});
    if (inet) {
      counting.chains.push_back({.name = "input",
                                 .hook = StrCat("type filter hook input ", kWhere),
                                 .rules = Counting(judged->rules)});
      continue;
    }
    counting.chains.push_back({.name = "out", .hook = "", .rules = Counting(judged->rules)});
    for (const Uplink& uplink : uplinks) {
      if (!CanHook(uplink)) continue;
      counting.chains.push_back(
          {.name = EgressChain(uplink),
           .hook = StrCat("type filter hook egress device \"", uplink.name, "\" ", kWhere),
           .rules = {"jump out"}});
    }
  }
  return watch;
}

std::string FormatWatch(const std::vector<Table>& tables) {
  std::string text;
  for (const std::string_view family : {"inet", "netdev"}) {
    StrAppend(&text, "add table ", family, " cordon-watch\ndelete table ", family, " cordon-watch\n");
  }
  std::string made = FormatTables(tables);
  ReplaceAll(&made, kOwnName, kWatchName);
  return text + made;
}

}  // namespace cordon::platform
