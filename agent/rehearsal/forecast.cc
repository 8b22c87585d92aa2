#include "agent/rehearsal/forecast.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "agent/isolation/evaluate.h"
#include "agent/isolation/policy.h"
#include "agent/names/name_list.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "platform/api/program_marks.h"

namespace cordon::agent {
namespace {

using platform::Connection;
using platform::FlowDirection;
using platform::Level;

auto KindOf(const KnownFlow& known) {
  return std::make_tuple(known.executable, known.flow.direction, known.flow.protocol,
                         known.flow.remote.address, AcceptingPort(known.flow), known.flow.agent_owned);
}

void AddTo(KnownFlow* sum, KnownFlow more) {
  sum->live = sum->live || more.live;
  // What is open now has been counted when it began.
  sum->times_seen = std::max(sum->times_seen, more.times_seen);
  const int64_t firsts[] = {sum->first_seen_unix_nanos, more.first_seen_unix_nanos};
  sum->first_seen_unix_nanos =
      firsts[0] == 0 || firsts[1] == 0 ? std::max(firsts[0], firsts[1]) : std::min(firsts[0], firsts[1]);
  sum->last_seen_unix_nanos = std::max(sum->last_seen_unix_nanos, more.last_seen_unix_nanos);
  for (std::string& name : more.names) {
    if (std::ranges::find(sum->names, name) == sum->names.end()) sum->names.push_back(std::move(name));
  }
}

// What the profile has for `name`, as the guard will judge it: a name that it refuses opens nothing. At
// no-lateral, where no guard is asked, wildcards open nothing.
std::vector<std::string> PatternsOf(const NameList& list, const std::string& name, Level level) {
  std::vector<std::string> patterns = list.Find(name).patterns;
  if (level == Level::kNoLateral)
    std::erase_if(patterns, [](const std::string& pattern) { return pattern.starts_with("*"); });
  return patterns;
}

// The newest name that a rule for names means.
const std::string* NamedBy(const NameList& list, const v1::AllowRule& rule, Level level,
                           const KnownFlow& known) {
  for (const std::string& name : known.names) {
    for (const std::string& pattern : PatternsOf(list, name, level)) {
      if (std::ranges::find(rule.names(), pattern) != rule.names().end()) return &name;
    }
  }
  return nullptr;
}

// Gives the rules by name the addresses that flows reached by such a name.
void OpenSeenNames(const NameList& list, const std::vector<KnownFlow>& flows,
                   platform::FilterPolicy* policy) {
  for (const KnownFlow& known : flows) {
    for (const std::string& name : known.names) {
      for (const std::string& pattern : PatternsOf(list, name, policy->level)) {
        for (const size_t set : list.SetsOf(pattern)) {
          if (set < policy->name_sets.size())
            policy->name_sets[set].addresses.push_back(known.flow.remote.address);
        }
      }
    }
  }
  for (platform::NameSet& set : policy->name_sets) {
    std::ranges::sort(set.addresses);
    const auto repeats = std::ranges::unique(set.addresses);
    set.addresses.erase(repeats.begin(), repeats.end());
  }
}

// As the packet filter will know the program: by path, since what stands at the path now is all that a
// forecast can go by. An identity without a path is nobody's (Rehearser::ShutOutOthers). Of several
// identities of one path, the one that a rule lets pass.
FlowVerdict JudgeWithProgram(const platform::FilterPolicy& policy, const KnownFlow& known) {
  Connection flow = known.flow;
  flow.program_tag = 0;
  FlowVerdict verdict = Judge(policy, flow);
  for (const platform::ProgramIdentity& program : policy.programs) {
    if (verdict.allowed) break;
    if (program.path.empty() || program.path != known.executable) continue;
    flow.program_tag = platform::ProgramTag(program);
    verdict = Judge(policy, flow);
  }
  return verdict;
}

bool GoesToTheGuard(const platform::FilterPolicy& policy, const Connection& flow) {
  constexpr uint16_t kDnsPort = 53;
  return policy.dns.has_value() && flow.direction == FlowDirection::kOut && flow.remote.port == kDnsPort;
}

// Addresses of names open when the agent itself has looked them up: what was open before is cut at that
// moment, unless an order with the same name stands already.
std::string DescribeRule(const v1::Profile& profile, size_t rule, const std::string* name, bool live) {
  std::string text = RuleName(profile, rule);
  if (name != nullptr) StrAppend(&text, ", by the name ", *name);
  if (name != nullptr && live) text += "; what is open now may be cut once";
  return text;
}

std::string DescribeLevel(const v1::IsolateAction& action, Level level) {
  switch (level) {
    case Level::kEssential:
      return action.has_profile() ? "essential: no rule of the profile allows it"
                                  : "essential without a profile: nothing but the controller stays";
    case Level::kControllerOnly:
      return "controller-only: nothing but the controller stays";
    default:
      return "dark: nothing leaves or enters the host";
  }
}

std::string Because(const v1::IsolateAction& action, Level level, const FlowVerdict& verdict,
                    const KnownFlow& known, const std::string* name) {
  switch (verdict.reason) {
    case VerdictReason::kObserve:
      return "nothing is blocked";
    case VerdictReason::kStaysOnHost:
      return "it does not leave the host";
    case VerdictReason::kController:
      return "the agent's own channel to the controller";
    case VerdictReason::kAddressConfiguration:
      return "DHCP";
    case VerdictReason::kRule:
      return DescribeRule(action.profile(), verdict.rule, name, known.live);
    case VerdictReason::kNotLateral:
      return "no-lateral blocks nothing but lateral movement";
    case VerdictReason::kLateral:
      return StrCat("no-lateral: port ", AcceptingPort(known.flow),
                    " in a private network is lateral movement");
    case VerdictReason::kLevel:
      break;
  }
  return DescribeLevel(action, level);
}

v1::FlowForecast Foretell(const v1::IsolateAction& action, const NameList& list,
                          const platform::FilterPolicy& policy, const KnownFlow& known) {
  const FlowVerdict verdict = JudgeWithProgram(policy, known);
  const std::string* named = nullptr;
  if (verdict.reason == VerdictReason::kRule && policy.allow[verdict.rule].name_set &&
      verdict.rule < static_cast<size_t>(action.profile().allow_size())) {
    named = NamedBy(list, action.profile().allow(static_cast<int>(verdict.rule)), policy.level, known);
  }
  v1::FlowForecast forecast;
  forecast.set_executable(EscapeToUtf8(known.executable));
  forecast.set_direction(static_cast<v1::Direction>(known.flow.direction));
  forecast.set_protocol(static_cast<v1::TransportProtocol>(known.flow.protocol));
  forecast.set_remote_address(known.flow.remote.address.to_string());
  if (named != nullptr) {
    forecast.set_remote_name(*named);
  } else if (!known.names.empty()) {
    forecast.set_remote_name(known.names.front());
  }
  forecast.set_port(AcceptingPort(known.flow));
  forecast.set_stays(verdict.allowed);
  forecast.set_because(!verdict.allowed && GoesToTheGuard(policy, known.flow)
                           ? "the agent itself answers DNS, for the names of the profile and no others"
                           : Because(action, policy.level, verdict, known, named));
  forecast.set_live(known.live);
  forecast.set_times_seen(known.times_seen);
  forecast.set_first_seen_unix_nanos(known.first_seen_unix_nanos);
  forecast.set_last_seen_unix_nanos(known.last_seen_unix_nanos);
  return forecast;
}

}  // namespace

std::vector<KnownFlow> MergeKinds(std::vector<KnownFlow> flows) {
  std::map<decltype(KindOf(KnownFlow())), KnownFlow> kinds;
  for (KnownFlow& known : flows) {
    if (StaysOnHost(known.flow)) continue;
    const auto kind = KindOf(known);
    const auto found = kinds.find(kind);
    if (found == kinds.end()) {
      kinds.emplace(kind, std::move(known));
    } else {
      AddTo(&found->second, std::move(known));
    }
  }
  std::vector<KnownFlow> merged;
  merged.reserve(kinds.size());
  for (auto& [kind, known] : kinds) merged.push_back(std::move(known));
  std::ranges::stable_sort(merged, [](const KnownFlow& a, const KnownFlow& b) {
    if (a.live != b.live) return a.live;
    return a.last_seen_unix_nanos > b.last_seen_unix_nanos;
  });
  return merged;
}

v1::Rehearsal Forecast(const v1::IsolateAction& action, platform::FilterPolicy policy,
                       const std::vector<KnownFlow>& flows) {
  const NameList names(action.profile());
  OpenSeenNames(names, flows, &policy);
  v1::Rehearsal rehearsal;
  size_t bytes = 0;
  for (const KnownFlow& known : flows) {
    v1::FlowForecast forecast = Foretell(action, names, policy, known);
    bytes += forecast.ByteSizeLong() + 8;
    if (bytes > kMaxForecastBytes || static_cast<size_t>(rehearsal.flows_size()) == kMaxForecastFlows) break;
    *rehearsal.add_flows() = std::move(forecast);
  }
  rehearsal.set_left_out(static_cast<uint32_t>(flows.size()) - static_cast<uint32_t>(rehearsal.flows_size()));
  return rehearsal;
}

}  // namespace cordon::agent
