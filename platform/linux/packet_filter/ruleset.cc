#include "platform/linux/packet_filter/ruleset.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"
#include "platform/linux/packet_filter/permits.h"

namespace cordon::platform {
namespace {

// Before every other chain of a hook. "policy accept" with a last rule that drops, and not "policy drop":
// while a transaction is committed an outgoing chain stands for a moment without its rules, and a dropping
// policy would then drop what both levels allow (ISO-1).
constexpr std::string_view kWhere = "priority -500; policy accept;";

void Append(std::vector<std::string>* to, const std::vector<std::string>& lines) {
  to->insert(to->end(), lines.begin(), lines.end());
}

// The rules of one way, `own` being that way's part of each Lines.
std::vector<std::string> RulesOf(const FilterPolicy& policy, std::vector<std::string> Lines::* own,
                                 bool at_uplink) {
  std::vector<std::string> rules;
  if (policy.level != Level::kDark) Append(&rules, ControllerPermits(policy.controllers, at_uplink).*own);
  if (policy.level == Level::kEssential || policy.level == Level::kControllerOnly) {
    if (at_uplink) {
      rules.emplace_back("arp htype 1 arp ptype ip arp operation { request, reply } accept");
    }
    Append(&rules, NetworkUpkeep().*own);
  }
  if (policy.level == Level::kNoLateral || policy.level == Level::kEssential) {
    Append(&rules, ProfilePermits(policy.allow).*own);
  }
  if (policy.level == Level::kNoLateral) {
    Append(&rules, LateralDrops().*own);
  } else {
    rules.emplace_back("counter drop");
  }
  return rules;
}

std::vector<std::string> WithLoopback(std::string rule, const std::vector<std::string>& rules) {
  std::vector<std::string> all = {std::move(rule)};
  Append(&all, rules);
  return all;
}

// What the host passes on for others has no permit but that of no-lateral: the profile is the host's own.
std::vector<std::string> ForwardRules(const FilterPolicy& policy) {
  if (policy.level != Level::kNoLateral) return {"counter drop"};
  const Lines drops = LateralDrops();
  std::vector<std::string> rules = drops.out;
  Append(&rules, drops.in);
  return rules;
}

Table MakeInetTable(const FilterPolicy& policy) {
  const auto hook = [](std::string_view name) { return StrCat("type filter hook ", name, " ", kWhere); };
  return {.family = "inet",
          .header = "",
          .chains = {
              {.name = "input",
               .hook = hook("input"),
               .rules = WithLoopback("iif \"lo\" accept", RulesOf(policy, &Lines::in, false))},
              {.name = "output",
               .hook = hook("output"),
               .rules = WithLoopback("oif \"lo\" accept", RulesOf(policy, &Lines::out, false))},
              {.name = "forward", .hook = hook("forward"), .rules = ForwardRules(policy)},
          }};
}

Table MakeNetdevTable(const FilterPolicy& policy, const std::vector<Uplink>& uplinks) {
  Table table{.family = "netdev", .header = "", .chains = {}};
  table.chains.push_back({.name = "into-host", .hook = "", .rules = RulesOf(policy, &Lines::in, true)});
  table.chains.push_back({.name = "out-of-host", .hook = "", .rules = RulesOf(policy, &Lines::out, true)});
  for (const Uplink& uplink : uplinks) {
    const auto hook = [&](std::string_view way) {
      return StrCat("type filter hook ", way, " device \"", uplink.name, "\" ", kWhere);
    };
    table.chains.push_back(
        {.name = IngressChain(uplink), .hook = hook("ingress"), .rules = {"jump into-host"}});
    table.chains.push_back(
        {.name = EgressChain(uplink), .hook = hook("egress"), .rules = {"jump out-of-host"}});
  }
  return table;
}

bool IsPlain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// No interface name contains '/', so the two forms cannot meet.
std::string ChainName(std::string_view way, const Uplink& uplink) {
  return IsPlain(uplink.name) ? StrCat(way, "/", uplink.name) : StrCat(way, "/number/", uplink.index);
}

}  // namespace

bool CanHook(const Uplink& uplink) {
  return !uplink.name.empty() && std::all_of(uplink.name.begin(), uplink.name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '*' && c != '\\' && c != '$';
  });
}

std::string IngressChain(const Uplink& uplink) {
  return ChainName("ingress", uplink);
}
std::string EgressChain(const Uplink& uplink) {
  return ChainName("egress", uplink);
}

std::vector<Table> MakeRuleset(const FilterPolicy& policy, std::vector<Uplink> uplinks) {
  if (policy.level == Level::kObserve) return {};
  std::erase_if(uplinks, [](const Uplink& uplink) { return !CanHook(uplink); });
  std::sort(uplinks.begin(), uplinks.end(), [](const Uplink& a, const Uplink& b) { return a.name < b.name; });
  return {MakeInetTable(policy), MakeNetdevTable(policy, uplinks)};
}

std::string FormatTables(const std::vector<Table>& tables) {
  std::string text;
  for (const Table& table : tables) {
    StrAppend(&text, "table ", table.family, " cordon {\n", table.header);
    for (const Chain& chain : table.chains) {
      StrAppend(&text, "\tchain ", chain.name, " {\n");
      if (!chain.hook.empty()) StrAppend(&text, "\t\t", chain.hook, "\n");
      for (const std::string& rule : chain.rules) StrAppend(&text, "\t\t", rule, "\n");
      StrAppend(&text, "\t}\n");
    }
    StrAppend(&text, "}\n");
  }
  return text;
}

std::string FormatTransaction(const std::vector<Table>& tables) {
  // A table that does not exist cannot be deleted, so it is added first; one that exists is left as it is by
  // that.
  std::string text;
  for (const std::string_view family : {"inet", "netdev"}) {
    StrAppend(&text, "add table ", family, " cordon\ndelete table ", family, " cordon\n");
  }
  return text + FormatTables(tables);
}

}  // namespace cordon::platform
