#include "agent/isolation/policy.h"

#include <utility>

#include "agent/names/name_list.h"
#include "common/base/status.h"
#include "common/wire/order.h"
#include "common/wire/profile.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxNameSets = 1'000;  // each is two sets in the kernel, twice

// The place of the rule's program among all of the policy.
absl::StatusOr<size_t> AddProgram(const v1::AllowRule& rule,
                                  std::vector<platform::ProgramIdentity>* programs) {
  if (rule.protocol() == v1::TRANSPORT_PROTOCOL_ICMP && rule.direction() != v1::DIRECTION_OUT) {
    return absl::InvalidArgumentError(
        "program: the system itself answers an echo request, no program does; leave out the program or say "
        "direction out");
  }
  const platform::ProgramIdentity wanted{.path = rule.program().path(), .sha256 = rule.program().sha256()};
  for (size_t at = 0; at < programs->size(); ++at) {
    if (programs->at(at) == wanted) return at;
    if (programs->at(at).path == wanted.path) {
      return absl::InvalidArgumentError(
          StrCat("program: an earlier rule names ", wanted.path, " with another SHA-256, or without one"));
    }
  }
  programs->push_back(wanted);
  return programs->size() - 1;
}

// The rule is within bounds.
absl::StatusOr<platform::FilterRule> RuleOf(const v1::Profile& profile, int at,
                                            std::vector<platform::ProgramIdentity>* programs) {
  const v1::AllowRule& from = profile.allow(at);
  // The numbers of both sides are the same, and were checked.
  platform::FilterRule rule{.direction = static_cast<platform::FlowDirection>(from.direction()),
                            .protocol = static_cast<platform::FlowProtocol>(from.protocol()),
                            .networks = {},
                            .ports = {}};
  for (const std::string& text : from.networks()) {
    CORDON_ASSIGN_OR_RETURN(Network network, ParseNetwork(text));
    rule.networks.push_back(std::move(network));
  }
  for (const v1::PortRange& range : from.ports()) {
    rule.ports.push_back({static_cast<uint16_t>(range.first()), static_cast<uint16_t>(range.last())});
  }
  if (from.has_program()) {
    const absl::StatusOr<size_t> program = AddProgram(from, programs);
    if (!program.ok()) return Annotate(program.status(), RuleName(profile, static_cast<size_t>(at)));
    rule.program = *program;
  }
  return rule;
}

}  // namespace

absl::StatusOr<platform::FilterPolicy> PolicyOf(const v1::IsolateAction& action) {
  if (action.level() < v1::LEVEL_NO_LATERAL || action.level() > v1::LEVEL_DARK) {
    return absl::InvalidArgumentError(
        "the level is not one of no-lateral, essential, controller-only and dark");
  }
  if (action.fallback() != v1::FALLBACK_HOLD && action.fallback() != v1::FALLBACK_STEP_DOWN) {
    return absl::InvalidArgumentError("no fallback: the order must say hold or step-down");
  }
  if (action.has_lease()) CORDON_RETURN_IF_ERROR(CheckLease(action.lease(), action.level()));
  const v1::Profile& profile = action.profile();
  if (action.has_profile()) CORDON_RETURN_IF_ERROR(CheckProfile(profile));
  platform::FilterPolicy policy{
      .level = static_cast<platform::Level>(action.level()), .allow = {}, .controllers = {}};
  const NameList names(profile);
  if (names.SetCount() > kMaxNameSets) {
    return absl::InvalidArgumentError(StrCat("the profile's rules have ", names.SetCount(),
                                             " different lists of names, more than ", kMaxNameSets,
                                             "; give rules the same list where that is right"));
  }
  policy.name_sets.resize(names.SetCount());
  for (int at = 0; at < profile.allow_size(); ++at) {
    CORDON_ASSIGN_OR_RETURN(platform::FilterRule rule, RuleOf(profile, at, &policy.programs));
    rule.name_set = names.SetOfRule(static_cast<size_t>(at));
    policy.allow.push_back(std::move(rule));
  }
  return policy;
}

absl::StatusOr<platform::FilterPolicy> PolicyOf(const v1::SelfIsolation& allowed) {
  v1::IsolateAction action;
  action.set_level(allowed.level());
  if (allowed.has_profile()) *action.mutable_profile() = allowed.profile();
  *action.mutable_lease()->mutable_length() = allowed.lease().length();
  action.set_fallback(v1::FALLBACK_HOLD);
  return PolicyOf(action);
}

platform::FilterPolicy AtLevel(platform::FilterPolicy policy, platform::Level level) {
  policy.level = level;
  if (level != platform::Level::kNoLateral && level != platform::Level::kEssential) {
    policy.allow.clear();
    policy.programs.clear();
    policy.name_sets.clear();
  }
  if (level != platform::Level::kEssential) policy.dns.reset();
  const bool shuts_dns = level == platform::Level::kEssential || level == platform::Level::kControllerOnly;
  if (!shuts_dns || policy.dns.has_value()) policy.resolvers.clear();
  if (level == platform::Level::kObserve || level == platform::Level::kDark) policy.controllers.clear();
  return policy;
}

std::string RuleName(const v1::Profile& profile, size_t at) {
  const bool known = at < static_cast<size_t>(profile.allow_size());
  const std::string comment = known ? profile.allow(static_cast<int>(at)).comment() : "";
  return StrCat("profile rule ", at + 1, comment.empty() ? "" : StrCat(" (", comment, ")"));
}

std::string LevelName(platform::Level level) {
  switch (level) {
    case platform::Level::kObserve:
      return "observe";
    case platform::Level::kNoLateral:
      return "no-lateral";
    case platform::Level::kEssential:
      return "essential";
    case platform::Level::kControllerOnly:
      return "controller-only";
    case platform::Level::kDark:
      return "dark";
  }
  return "unknown";
}

}  // namespace cordon::agent
