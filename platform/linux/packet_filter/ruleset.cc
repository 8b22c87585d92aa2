#include "platform/linux/packet_filter/ruleset.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"
#include "platform/linux/packet_filter/permits.h"

namespace cordon::platform {
namespace {

// Before every other chain of a hook. "policy accept" with a last rule that drops, and not "policy drop":
// a chain is hooked a moment before its rules are in force, and a dropping policy would then drop what both
// levels allow (ISO-1).
constexpr std::string_view kWhere = "priority -500; policy accept;";

void Append(std::vector<std::string>* to, const std::vector<std::string>& lines) {
  to->insert(to->end(), lines.begin(), lines.end());
}

// The rules of one way, `own` being that way's part of each Lines.
std::vector<std::string> RulesOf(const FilterPolicy& policy, const Profile& profile,
                                 std::vector<std::string> Lines::* own, bool at_uplink) {
  std::vector<std::string> rules;
  if (policy.level != Level::kDark) Append(&rules, ControllerPermits(policy.controllers, at_uplink).*own);
  if (policy.dns.has_value()) Append(&rules, DnsPermits(*policy.dns, at_uplink).*own);
  Append(&rules, ResolverPermits(policy.resolvers, at_uplink).*own);
  if (policy.level == Level::kEssential || policy.level == Level::kControllerOnly) {
    if (at_uplink) {
      rules.emplace_back("arp htype 1 arp ptype ip arp operation { request, reply } accept");
    }
    Append(&rules, NetworkUpkeep().*own);
  }
  Append(&rules, ProfilePermits(profile, at_uplink).*own);
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

// After the redirect the kernel has chosen a new way for the packet, and only then is asked where it leads.
std::vector<std::string> AfterRedirectRules(const DnsRedirect& dns) {
  std::vector<std::string> rules = {"oif \"lo\" accept"};
  Append(&rules, DnsPermits(dns, true).out);
  return rules;
}

std::string Hook(std::string_view hook, std::string_view device = "") {
  const std::string where = device.empty() ? "" : StrCat(" device \"", device, "\"");
  return StrCat("type filter hook ", hook, where, " ", kWhere);
}

Table MakeInetTable(const FilterPolicy& policy, const Profile& profile, Slot slot) {
  Table table{.family = "inet", .header = "", .chains = {}, .sets = profile.sets};
  const auto add = [&](std::string_view name, std::vector<std::string> rules) {
    table.chains.push_back({.name = SlotChain(name, slot), .hook = "", .rules = std::move(rules)});
  };
  add("input", WithLoopback("iif \"lo\" accept", RulesOf(policy, profile, &Lines::in, false)));
  add("output", WithLoopback("oif \"lo\" accept", RulesOf(policy, profile, &Lines::out, false)));
  add("forward", ForwardRules(policy));
  for (const std::string name : {"input", "output", "forward"}) {
    table.chains.push_back({.name = name, .hook = Hook(name), .rules = {"jump " + SlotChain(name, slot)}});
  }
  if (!policy.dns.has_value()) return table;
  add("to-guard", RedirectRules(*policy.dns));
  add("past-guard", AfterRedirectRules(*policy.dns));
  table.chains.push_back({.name = "to-guard",
                          .hook = "type nat hook output priority -100; policy accept;",
                          .rules = {"jump " + SlotChain("to-guard", slot)}});
  table.chains.push_back({.name = "past-guard",
                          .hook = Hook("postrouting"),
                          .rules = {"jump " + SlotChain("past-guard", slot)}});
  return table;
}

Table MakeNetdevTable(const FilterPolicy& policy, const Profile& profile, const std::vector<Uplink>& uplinks,
                      Slot slot) {
  Table table{.family = "netdev", .header = "", .chains = {}, .sets = profile.sets};
  const std::string in = SlotChain("into-host", slot);
  const std::string out = SlotChain("out-of-host", slot);
  table.chains.push_back({.name = in, .hook = "", .rules = RulesOf(policy, profile, &Lines::in, true)});
  table.chains.push_back({.name = out, .hook = "", .rules = RulesOf(policy, profile, &Lines::out, true)});
  for (const Uplink& uplink : uplinks) {
    table.chains.push_back(
        {.name = IngressChain(uplink), .hook = Hook("ingress", uplink.name), .rules = {"jump " + in}});
    table.chains.push_back(
        {.name = EgressChain(uplink), .hook = Hook("egress", uplink.name), .rules = {"jump " + out}});
  }
  return table;
}

bool IsPlain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string FormatSet(const AddressSet& set, bool with_elements) {
  std::string text = StrCat("\tset ", set.name, " {\n\t\ttype ", set.v6 ? "ipv6_addr" : "ipv4_addr", "\n",
                            set.ranges ? "\t\tflags interval\n" : "");
  if (with_elements && !set.elements.empty()) {
    text += "\t\telements = { ";
    for (const Interval& element : set.elements)
      StrAppend(&text, &element == set.elements.data() ? "" : ", ", IntervalText(element, set.v6));
    text += " }\n";
  }
  return text + "\t}\n";
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

std::string SlotChain(std::string_view name, Slot slot) {
  return StrCat(name, "-", std::string(1, static_cast<char>(slot)));
}

std::string NameSetName(size_t index, bool v6, Slot slot) {
  return SlotChain(StrCat(v6 ? "names6-" : "names4-", index), slot);
}

std::string NetworkSetName(size_t index, bool v6, Slot slot) {
  return SlotChain(StrCat(v6 ? "networks6-" : "networks4-", index), slot);
}

std::vector<AddressSet> MakeNameSets(const FilterPolicy& policy, Slot slot) {
  std::vector<AddressSet> sets;
  if (policy.level != Level::kNoLateral && policy.level != Level::kEssential) return sets;
  for (size_t at = 0; at < policy.name_sets.size(); ++at) {
    for (const bool v6 : {false, true}) {
      AddressSet& set = sets.emplace_back(AddressSet{.name = NameSetName(at, v6, slot), .v6 = v6});
      for (const auto& address : policy.name_sets[at].addresses) {
        if (address.is_v6() == v6)
          set.elements.push_back({.first = BytesOf(address), .last = BytesOf(address)});
      }
    }
  }
  return sets;
}

bool IsOfSlot(const AddressSet& set, Slot slot) {
  return set.name.ends_with(SlotChain("", slot));
}

bool IsOfSlot(const Chain& chain, Slot slot) {
  return chain.hook.empty() && chain.name.ends_with(SlotChain("", slot));
}

bool IsHooked(const Table& table) {
  return !table.header.empty() ||
         std::ranges::any_of(table.chains, [](const Chain& chain) { return !chain.hook.empty(); });
}

std::optional<Slot> LiveSlot(const std::vector<Table>& tables) {
  std::optional<Slot> live;
  for (const Table& table : tables) {
    for (const Chain& chain : table.chains) {
      if (chain.hook.empty()) continue;
      if (chain.rules.size() != 1 || !chain.rules.front().starts_with("jump ")) return std::nullopt;
      const std::string& rule = chain.rules.front();
      const Slot slot = rule.ends_with(SlotChain("", Slot::kB)) ? Slot::kB : Slot::kA;
      if (!rule.ends_with(SlotChain("", slot)) || live.value_or(slot) != slot) return std::nullopt;
      live = slot;
    }
  }
  return live;
}

std::vector<Table> MakeRuleset(const FilterPolicy& policy, std::vector<Uplink> uplinks, Slot slot) {
  if (policy.level == Level::kObserve) return {};
  std::erase_if(uplinks, [](const Uplink& uplink) { return !CanHook(uplink); });
  std::sort(uplinks.begin(), uplinks.end(), [](const Uplink& a, const Uplink& b) { return a.name < b.name; });
  const Profile profile = MakeProfile(policy, slot);
  return {MakeInetTable(policy, profile, slot), MakeNetdevTable(policy, profile, uplinks, slot)};
}

std::string FormatTables(const std::vector<Table>& tables, bool with_elements) {
  std::string text;
  for (const Table& table : tables) {
    StrAppend(&text, "table ", table.family, " cordon {\n", table.header);
    for (const AddressSet& set : table.sets) StrAppend(&text, FormatSet(set, with_elements));
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

}  // namespace cordon::platform
