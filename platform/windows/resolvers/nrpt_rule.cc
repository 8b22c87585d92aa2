#include "platform/windows/resolvers/nrpt_rule.h"

#include <algorithm>

#include "common/base/strings.h"

namespace cordon::platform::nrpt {
namespace {

constexpr uint32_t kRuleVersion = 2;
constexpr uint32_t kUseGenericServers = 0x8;  // ConfigOptions: the servers of GenericDNSServers
constexpr uint32_t kNothingButDoh = 3;        // DoHPolicy
constexpr size_t kMostNamesTold = 8;

std::string Shown(const Data& data) {
  if (const auto* number = std::get_if<uint32_t>(&data)) return StrCat("REG_DWORD ", *number);
  if (const auto* text = std::get_if<std::string>(&data)) return StrCat("REG_SZ \"", *text, "\"");
  const auto* texts = std::get_if<std::vector<std::string>>(&data);
  if (texts == nullptr) return "of another type";
  std::string shown = "REG_MULTI_SZ";
  for (const std::string& text : *texts) StrAppend(&shown, " \"", text, "\"");
  return shown;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string joined;
  for (size_t i = 0; i < std::min(names.size(), kMostNamesTold); ++i)
    StrAppend(&joined, i == 0 ? "" : ", ", names[i]);
  if (names.size() > kMostNamesTold) StrAppend(&joined, " and ", names.size() - kMostNamesTold, " more");
  return joined;
}

}  // namespace

Rule MakeRule(const std::vector<boost::asio::ip::address>& servers) {
  std::string list;
  for (const auto& server : servers) StrAppend(&list, list.empty() ? "" : "; ", server.to_string());
  return {
      {"Version", kRuleVersion},
      {"Name", std::vector<std::string>{"."}},
      {"Comment", "Host names of the profile while Cordon isolates this host; goes at release"},
      {"DisplayName", "Cordon"},
      {"IPSECCARestriction", ""},
      {"GenericDNSServers", list},
      {"ConfigOptions", kUseGenericServers},
  };
}

bool Same(const Rule& a, const Rule& b) {
  return std::ranges::is_permutation(a, b);
}

std::string Describe(const Rule& rule) {
  std::string text;
  for (const Value& value : rule) StrAppend(&text, value.name, " ", Shown(value.data), "\n");
  return text;
}

std::vector<std::string> Obstacles(const Surroundings& around) {
  std::vector<std::string> found;
  if (!around.client_runs) {
    found.emplace_back(
        "Windows' DNS client (service Dnscache) does not run, so programs ask DNS servers themselves, which "
        "is "
        "shut; start the service, or name networks in the profile");
  }
  if (around.group_policy) {
    found.emplace_back(
        "group policy has a name resolution policy table on this host, with which Windows ignores the "
        "agent's "
        "rule: programs resolve no names. Take the table out of the policy "
        "(HKLM\\SOFTWARE\\Policies\\Microsoft"
        "\\Windows NT\\DNSClient\\DnsPolicyConfig), or name networks in the profile");
  }
  if (!around.foreign_names.empty()) {
    found.push_back(
        StrCat("rules of other programs (VPN clients) lead these names past the agent's guard, which "
               "then do not resolve: ",
               Joined(around.foreign_names)));
  }
  if (around.doh_policy == kNothingButDoh) {
    found.emplace_back(
        "group policy lets Windows' DNS client ask by HTTPS alone (DoHPolicy 3), which the agent's guard "
        "does not "
        "speak: programs resolve no names");
  }
  return found;
}

}  // namespace cordon::platform::nrpt
