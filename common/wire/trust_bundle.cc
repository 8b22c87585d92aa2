#include "common/wire/trust_bundle.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x509.h"
#include "common/wire/json.h"
#include "common/wire/unknown_fields.h"

namespace cordon {
namespace {

using google::protobuf::RepeatedPtrField;
using Role = v1::TrustedOperator::Role;

constexpr size_t kMaxOperatorNameBytes = 100;
constexpr size_t kKeyBytes = 32;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

size_t CountAble(const RepeatedPtrField<v1::TrustedOperator>& operators, Role role) {
  return static_cast<size_t>(std::ranges::count_if(
      operators, [role](const v1::TrustedOperator& person) { return HasRole(person, role); }));
}

absl::Status CheckOptionalKey(std::string_view field, std::string_view key) {
  if (key.empty() || key.size() == kKeyBytes) return absl::OkStatus();
  return Bad(StrCat(field, ": ", key.size(), " bytes, must be none or ", kKeyBytes));
}

absl::Status CheckOperator(const v1::TrustedOperator& person) {
  if (!IsUuid(person.operator_id())) return Bad("an operator_id is not a UUID");
  const auto of = [&](const absl::Status& status) { return Annotate(status, person.operator_id()); };
  if (!IsPlainText(person.name(), kMaxOperatorNameBytes)) {
    return of(Bad("the name is too long or has control characters"));
  }
  if (person.ed25519_public_key().size() != kEd25519PublicKeyBytes) {
    return of(Bad(StrCat("the public key is not ", kEd25519PublicKeyBytes, " bytes")));
  }
  CORDON_RETURN_IF_ERROR(of(CheckOptionalKey("unlock_public_key", person.unlock_public_key())));
  if (!person.unlock_public_key().empty() && !HasRole(person, v1::TrustedOperator::ROLE_UNLOCK)) {
    return of(Bad("unlock_public_key: without the role unlock"));
  }
  for (const int role : person.roles()) {
    if (!v1::TrustedOperator::Role_IsValid(role) || role == v1::TrustedOperator::ROLE_UNSPECIFIED) {
      return of(Bad(StrCat("role ", role, " is not known")));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOperators(const RepeatedPtrField<v1::TrustedOperator>& operators) {
  if (operators.empty() || operators.size() > kMaxOperators) {
    return Bad(StrCat(operators.size(), ", must be 1 to ", kMaxOperators));
  }
  std::set<std::string_view> ids;
  std::set<std::string_view> keys;
  std::set<std::string_view> unlock_keys;
  for (const v1::TrustedOperator& person : operators) {
    CORDON_RETURN_IF_ERROR(CheckOperator(person));
    const std::string& unlock = person.unlock_public_key();
    if (!ids.insert(person.operator_id()).second || !keys.insert(person.ed25519_public_key()).second ||
        (!unlock.empty() && !unlock_keys.insert(unlock).second)) {
      return Bad(StrCat(person.operator_id(), ": its id or key stands twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckThreshold(const v1::Threshold& threshold, const v1::TrustBundle& bundle) {
  const v1::Threshold::ActionClass action_class = threshold.action_class();
  if (!v1::Threshold::ActionClass_IsValid(action_class) ||
      action_class == v1::Threshold::ACTION_CLASS_UNSPECIFIED) {
    return Bad(StrCat("action class ", static_cast<int>(action_class), " is not known"));
  }
  if (threshold.signatures() < 1 || threshold.signatures() > kMaxSignatures) {
    return Bad(StrCat(threshold.signatures(), " is not 1 to ", kMaxSignatures));
  }
  if (action_class == v1::Threshold::ACTION_CLASS_WHOLE_GROUP) return absl::OkStatus();
  const Role role = RoleFor(action_class);
  const size_t able = CountAble(bundle.operators(), role);
  if (able >= threshold.signatures()) return absl::OkStatus();
  return Bad(StrCat(threshold.signatures(), " must sign, but only ", able, " operators have the role ",
                    WordOf(role)));
}

absl::Status CheckThresholds(const v1::TrustBundle& bundle) {
  std::set<int> classes;
  for (const v1::Threshold& threshold : bundle.thresholds()) {
    CORDON_RETURN_IF_ERROR(CheckThreshold(threshold, bundle));
    if (!classes.insert(threshold.action_class()).second) return Bad("an action class stands twice");
  }
  return absl::OkStatus();
}

absl::Status CheckRoster(const v1::Lifeline& line) {
  if (line.hosts() < 1 || line.hosts() > kMaxLifelineHosts) {
    return Bad(StrCat("hosts: ", line.hosts(), " is not 1 to ", kMaxLifelineHosts));
  }
  if (line.host_ids_size() > kMaxRosterHosts || std::cmp_less(line.host_ids_size(), line.hosts())) {
    return Bad(
        StrCat("host_ids: ", line.host_ids_size(), ", must be ", line.hosts(), " to ", kMaxRosterHosts));
  }
  std::set<std::string_view> ids;
  for (const std::string& id : line.host_ids()) {
    if (!IsUuid(id)) return Bad("host_ids: an entry is not a host id");
    if (!ids.insert(id).second) return Bad(StrCat("host_ids: ", id, " stands twice"));
  }
  return absl::OkStatus();
}

absl::Status CheckLifeline(const v1::Lifeline& line) {
  if (!IsName(line.site())) return Bad("site: not 1 to 64 characters of [a-z0-9-]");
  const auto at = [&](const absl::Status& status) { return Annotate(status, line.site()); };
  if (line.level() < v1::LEVEL_OBSERVE || line.level() > v1::LEVEL_CONTROLLER_ONLY) {
    return at(Bad("level: must be observe, no-lateral, essential or controller-only"));
  }
  if (line.signatures() < 2 || line.signatures() > kMaxSignatures) {
    return at(Bad(StrCat("signatures: ", line.signatures(), " is not 2 to ", kMaxSignatures)));
  }
  return at(CheckRoster(line));
}

absl::Status CheckLifelines(const v1::TrustBundle& bundle) {
  if (bundle.lifelines_size() > kMaxLifelines) {
    return Bad(StrCat(bundle.lifelines_size(), ", at most ", kMaxLifelines));
  }
  std::set<std::string_view> sites;
  for (const v1::Lifeline& line : bundle.lifelines()) {
    CORDON_RETURN_IF_ERROR(CheckLifeline(line));
    if (!sites.insert(line.site()).second) return Bad(StrCat(line.site(), ": stands twice"));
  }
  return absl::OkStatus();
}

absl::Status CheckAuthorities(const RepeatedPtrField<std::string>& authorities) {
  if (std::cmp_greater(authorities.size(), kMaxAuthorities)) {
    return Bad(StrCat(authorities.size(), " certificates, at most ", kMaxAuthorities));
  }
  for (const std::string& pem : authorities) CORDON_RETURN_IF_ERROR(CheckAuthority(pem));
  return absl::OkStatus();
}

absl::Status CheckFields(const v1::TrustBundle& bundle) {
  // AUT-4: what this version does not know may be what limits an operator.
  if (const auto unknown = FindUnknownField(bundle)) {
    return Bad(StrCat(*unknown, ": not known to this version; update it"));
  }
  if (!IsUuid(bundle.fleet_id())) return Bad("fleet_id: not a UUID");
  if (bundle.version() == 0) return Bad("version: missing");
  CORDON_RETURN_IF_ERROR(Annotate(CheckOperators(bundle.operators()), "operators"));
  CORDON_RETURN_IF_ERROR(Annotate(CheckThresholds(bundle), "thresholds"));
  CORDON_RETURN_IF_ERROR(CheckOptionalKey("audit_log_public_key", bundle.audit_log_public_key()));
  CORDON_RETURN_IF_ERROR(Annotate(CheckLifelines(bundle), "lifelines"));
  return Annotate(CheckAuthorities(bundle.ca_pem()), "ca_pem");
}

}  // namespace

absl::Status CheckTrustBundle(const v1::TrustBundle& bundle) {
  return Annotate(CheckFields(bundle), "trust bundle");
}

absl::StatusOr<v1::TrustBundle> ParseTrustBundle(const v1::SignedTrustBundle& signed_bundle) {
  if (signed_bundle.bundle().size() > kMaxTrustBundleBytes) {
    return Bad(
        StrCat("trust bundle: ", signed_bundle.bundle().size(), " bytes, at most ", kMaxTrustBundleBytes));
  }
  v1::TrustBundle bundle;
  if (!bundle.ParseFromString(signed_bundle.bundle())) return Bad("trust bundle: its bytes are damaged");
  CORDON_RETURN_IF_ERROR(CheckTrustBundle(bundle));
  return bundle;
}

absl::StatusOr<v1::TrustBundle> VerifyTrustBundleHash(const v1::SignedTrustBundle& signed_bundle,
                                                      std::string_view pinned_sha256) {
  if (signed_bundle.bundle().size() > kMaxTrustBundleBytes) return ParseTrustBundle(signed_bundle);
  if (!ConstantTimeEquals(Sha256(signed_bundle.bundle()), pinned_sha256)) {
    return absl::PermissionDeniedError(
        "trust bundle: it is not the one that was pinned; the controller offers other operators than those "
        "that the fleet was set up with");
  }
  return ParseTrustBundle(signed_bundle);
}

Role RoleFor(v1::Threshold::ActionClass action_class) {
  switch (action_class) {
    case v1::Threshold::ACTION_CLASS_SCAN:
      return v1::TrustedOperator::ROLE_SCAN;
    case v1::Threshold::ACTION_CLASS_POLICY:
      return v1::TrustedOperator::ROLE_POLICY;
    case v1::Threshold::ACTION_CLASS_TRUST:
      return v1::TrustedOperator::ROLE_TRUST;
    case v1::Threshold::ACTION_CLASS_ISOLATE:
    case v1::Threshold::ACTION_CLASS_ISOLATE_HARD:
      return v1::TrustedOperator::ROLE_ISOLATE;
    default:
      return v1::TrustedOperator::ROLE_UNSPECIFIED;
  }
}

bool HasRole(const v1::TrustedOperator& person, Role role) {
  return role != v1::TrustedOperator::ROLE_UNSPECIFIED &&
         std::ranges::find(person.roles(), role) != person.roles().end();
}

uint32_t ThresholdOf(const v1::TrustBundle& bundle, v1::Threshold::ActionClass action_class) {
  for (const v1::Threshold& threshold : bundle.thresholds()) {
    if (threshold.action_class() == action_class) return std::max(threshold.signatures(), 1U);
  }
  return 1;
}

std::vector<v1::Threshold> DefaultThresholds(const RepeatedPtrField<v1::TrustedOperator>& operators) {
  struct Default {
    v1::Threshold::ActionClass action_class;
    Role role;
    bool two;
  };
  using Class = v1::Threshold;
  constexpr std::array kDefaults = {
      Default{Class::ACTION_CLASS_ISOLATE, v1::TrustedOperator::ROLE_ISOLATE, false},
      Default{Class::ACTION_CLASS_ISOLATE_HARD, v1::TrustedOperator::ROLE_ISOLATE, true},
      Default{Class::ACTION_CLASS_WHOLE_GROUP, v1::TrustedOperator::ROLE_ISOLATE, true},
      Default{Class::ACTION_CLASS_SCAN, v1::TrustedOperator::ROLE_SCAN, false},
      Default{Class::ACTION_CLASS_POLICY, v1::TrustedOperator::ROLE_POLICY, false},
      Default{Class::ACTION_CLASS_TRUST, v1::TrustedOperator::ROLE_TRUST, true}};
  std::vector<v1::Threshold> thresholds;
  for (const Default& one : kDefaults) {
    const size_t able = CountAble(operators, one.role);
    if (able == 0) continue;  // a threshold that nobody can reach is refused
    v1::Threshold& threshold = thresholds.emplace_back();
    threshold.set_action_class(one.action_class);
    threshold.set_signatures(one.two && able >= 2 ? 2 : 1);
  }
  return thresholds;
}

}  // namespace cordon
