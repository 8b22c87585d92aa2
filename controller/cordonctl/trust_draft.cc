#include "controller/cordonctl/trust_draft.h"

#include <absl/strings/numbers.h>

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "common/wire/trust_bundle.h"
#include "controller/cordonctl/signers.h"

namespace cordon::ctl {
namespace {

v1::TrustBundle After(const v1::TrustBundle& before) {
  v1::TrustBundle next = before;
  next.set_version(before.version() + 1);
  return next;
}

bool Names(const v1::TrustBundle& bundle, std::string_view operator_id) {
  return std::ranges::find(bundle.operators(), operator_id, &v1::TrustedOperator::operator_id) !=
         bundle.operators().end();
}

}  // namespace

absl::StatusOr<std::vector<v1::TrustedOperator::Role>> ParseRoles(const std::vector<std::string>& words) {
  std::vector<v1::TrustedOperator::Role> roles;
  for (const std::string& word : words) {
    const auto role = FromWord<v1::TrustedOperator::Role>(word);
    if (role == v1::TrustedOperator::ROLE_UNSPECIFIED) {
      return absl::InvalidArgumentError(
          StrCat("--role: '", Printable(word), "' is none of isolate, scan, policy, trust, unlock"));
    }
    if (std::ranges::find(roles, role) == roles.end()) roles.push_back(role);
  }
  return roles;
}

absl::StatusOr<std::vector<v1::Threshold>> ParseThresholds(const std::vector<std::string>& texts) {
  std::vector<v1::Threshold> thresholds;
  for (const std::string& text : texts) {
    const size_t at = text.find('=');
    v1::Threshold& threshold = thresholds.emplace_back();
    uint32_t number = 0;
    threshold.set_action_class(FromWord<v1::Threshold::ActionClass>(text.substr(0, at)));
    const bool good = at != std::string::npos && absl::SimpleAtoi(text.substr(at + 1), &number) &&
                      number >= 1 && number <= kMaxSignatures &&
                      threshold.action_class() != v1::Threshold::ACTION_CLASS_UNSPECIFIED;
    if (!good) {
      return absl::InvalidArgumentError(
          StrCat("'", Printable(text),
                 "' is not CLASS=N with one of isolate, isolate-hard, whole-group, scan, "
                 "policy, trust and 1 to ",
                 kMaxSignatures));
    }
    threshold.set_signatures(number);
  }
  return thresholds;
}

absl::StatusOr<v1::TrustBundle> WithOperator(const v1::TrustBundle& before,
                                             const v1::OperatorRequest& request,
                                             const std::vector<v1::TrustedOperator::Role>& roles) {
  if (Names(before, request.operator_id())) {
    return absl::AlreadyExistsError(
        StrCat("operator ", request.operator_id(), " is in trust bundle version ", before.version()));
  }
  v1::TrustBundle next = After(before);
  v1::TrustedOperator& person = *next.add_operators();
  person.set_operator_id(request.operator_id());
  person.set_name(request.name());
  person.set_ed25519_public_key(request.ed25519_public_key());
  for (const v1::TrustedOperator::Role role : roles) person.add_roles(role);
  if (HasRole(person, v1::TrustedOperator::ROLE_UNLOCK)) {
    person.set_unlock_public_key(request.unlock_public_key());
  }
  return next;
}

absl::StatusOr<v1::TrustedOperator> FindOperator(const v1::TrustBundle& bundle, std::string_view text) {
  std::vector<v1::TrustedOperator> found;
  for (const v1::TrustedOperator& person : bundle.operators()) {
    if (person.operator_id() == text) return person;
    const bool begins = text.size() >= 4 && person.operator_id().starts_with(text);
    if (begins || person.name() == text) found.push_back(person);
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return absl::NotFoundError(
        StrCat("there is no operator ", Printable(text), "; see cordonctl operator list"));
  }
  return absl::FailedPreconditionError(StrCat(Printable(text), " means several: ", NamesOf(found)));
}

v1::TrustBundle WithoutOperator(const v1::TrustBundle& before, std::string_view operator_id) {
  v1::TrustBundle next = After(before);
  auto* const people = next.mutable_operators();
  people->erase(std::remove_if(people->begin(), people->end(),
                               [&](const auto& person) { return person.operator_id() == operator_id; }),
                people->end());
  return next;
}

v1::TrustBundle WithKeys(const v1::TrustBundle& before, const v1::TrustedOperator& keys) {
  v1::TrustBundle next = After(before);
  for (v1::TrustedOperator& person : *next.mutable_operators()) {
    if (person.operator_id() != keys.operator_id()) continue;
    person.set_ed25519_public_key(keys.ed25519_public_key());
    if (HasRole(person, v1::TrustedOperator::ROLE_UNLOCK)) {
      person.set_unlock_public_key(keys.unlock_public_key());
    }
  }
  return next;
}

v1::TrustBundle WithAuthorities(const v1::TrustBundle& before, const std::vector<std::string>& ca_pem) {
  v1::TrustBundle next = After(before);
  next.mutable_ca_pem()->Assign(ca_pem.begin(), ca_pem.end());
  return next;
}

v1::TrustBundle WithLogKey(const v1::TrustBundle& before, std::string_view public_key) {
  v1::TrustBundle next = After(before);
  next.set_audit_log_public_key(std::string(public_key));
  return next;
}

v1::TrustBundle WithLifeline(const v1::TrustBundle& before, const v1::Lifeline& lifeline) {
  v1::TrustBundle next = WithoutLifeline(before, lifeline.site()).value_or(After(before));
  *next.add_lifelines() = lifeline;
  return next;
}

absl::StatusOr<v1::TrustBundle> WithoutLifeline(const v1::TrustBundle& before, std::string_view site) {
  v1::TrustBundle next = After(before);
  auto* const lifelines = next.mutable_lifelines();
  const auto end = std::remove_if(lifelines->begin(), lifelines->end(),
                                  [&](const v1::Lifeline& lifeline) { return lifeline.site() == site; });
  if (end == lifelines->end()) {
    return absl::NotFoundError(StrCat("site ", site, " has no lifeline; see cordonctl trust show"));
  }
  lifelines->erase(end, lifelines->end());
  return next;
}

void SetThresholds(const std::vector<v1::Threshold>& thresholds, v1::TrustBundle* bundle) {
  for (const v1::Threshold& threshold : thresholds) {
    auto* const all = bundle->mutable_thresholds();
    const auto known = std::ranges::find(*all, threshold.action_class(), &v1::Threshold::action_class);
    (known == all->end() ? *bundle->add_thresholds() : *known) = threshold;
  }
}

absl::Status CheckCanFollow(const v1::TrustBundle& before, const v1::TrustBundle& after) {
  CORDON_RETURN_IF_ERROR(CheckTrustBundle(after));
  const uint32_t needed = ThresholdOf(after, v1::Threshold::ACTION_CLASS_TRUST);
  const auto able = std::ranges::count_if(after.operators(), [&](const v1::TrustedOperator& person) {
    return HasRole(person, v1::TrustedOperator::ROLE_TRUST) && Names(before, person.operator_id());
  });
  if (std::cmp_greater_equal(able, needed)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("the new bundle asks for ", needed,
             " signatures for changes of trust, and of its operators only ", able,
             " can sign now: somebody new cannot sign before they are in force. Go in two steps: add the "
             "operator first, and when they have accepted: cordonctl operator threshold trust=",
             needed));
}

}  // namespace cordon::ctl
