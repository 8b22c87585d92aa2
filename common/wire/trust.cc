#include "common/wire/trust.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/wire/order.h"

namespace cordon {
namespace {

using google::protobuf::RepeatedPtrField;
using Role = v1::TrustedOperator::Role;

constexpr size_t kMaxOperatorNameBytes = 100;
constexpr size_t kMaxOperatorIdBytes = 64;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
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

std::string_view RoleName(Role role) {
  switch (role) {
    case v1::TrustedOperator::ROLE_ISOLATE:
      return "isolate";
    case v1::TrustedOperator::ROLE_SCAN:
      return "scan";
    case v1::TrustedOperator::ROLE_POLICY:
      return "policy";
    case v1::TrustedOperator::ROLE_TRUST:
      return "trust";
    case v1::TrustedOperator::ROLE_UNLOCK:
      return "unlock";
    default:
      return "none";
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

absl::Status CheckOperator(const v1::TrustedOperator& person) {
  if (!IsUuid(person.operator_id())) return Bad("operators: an operator_id is not a UUID");
  if (!IsPlainText(person.name(), kMaxOperatorNameBytes)) {
    return Bad(
        StrCat("operators: ", person.operator_id(), ": the name is too long or has control characters"));
  }
  if (person.ed25519_public_key().size() != kEd25519PublicKeyBytes) {
    return Bad(StrCat("operators: ", person.operator_id(), ": the public key is not ", kEd25519PublicKeyBytes,
                      " bytes"));
  }
  for (const int role : person.roles()) {
    if (!v1::TrustedOperator::Role_IsValid(role) || role == v1::TrustedOperator::ROLE_UNSPECIFIED) {
      return Bad(StrCat("operators: ", person.operator_id(), ": role ", role, " is not known"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckThreshold(const v1::Threshold& threshold, const v1::TrustBundle& bundle) {
  const v1::Threshold::ActionClass action_class = threshold.action_class();
  if (!v1::Threshold::ActionClass_IsValid(action_class) ||
      action_class == v1::Threshold::ACTION_CLASS_UNSPECIFIED) {
    return Bad(StrCat("thresholds: action class ", static_cast<int>(action_class), " is not known"));
  }
  if (threshold.signatures() < 1 || threshold.signatures() > kMaxSignatures) {
    return Bad(StrCat("thresholds: ", threshold.signatures(), " is not 1 to ", kMaxSignatures));
  }
  if (action_class == v1::Threshold::ACTION_CLASS_WHOLE_GROUP) return absl::OkStatus();
  const Role role = RoleFor(action_class);
  const auto able = std::ranges::count_if(
      bundle.operators(), [&](const v1::TrustedOperator& person) { return HasRole(person, role); });
  if (std::cmp_less(able, threshold.signatures())) {
    return Bad(StrCat("thresholds: ", threshold.signatures(), " must sign, but only ", able,
                      " operators have the role ", RoleName(role)));
  }
  return absl::OkStatus();
}

// The distinct operators whose good signatures count, and a sentence for each signature that does not.
struct Tally {
  std::set<std::string> keys;
  std::vector<std::string> notes;
};

struct Question {
  std::string_view domain;
  std::string_view bytes;
  Role role;
};

void CountSignature(const v1::Signature& signature, const v1::TrustBundle& bundle, const Question& question,
                    Tally* tally) {
  const std::string id = Printable(signature.operator_id());
  const auto person =
      std::ranges::find(bundle.operators(), signature.operator_id(), &v1::TrustedOperator::operator_id);
  if (person == bundle.operators().end()) {
    tally->notes.push_back(StrCat("operator ", id, " is not in the trust bundle"));
  } else if (!HasRole(*person, question.role)) {
    tally->notes.push_back(StrCat("operator ", id, " lacks the role ", RoleName(question.role)));
  } else if (tally->keys.contains(person->ed25519_public_key())) {
    tally->notes.push_back(StrCat("operator ", id, " signed twice, which counts once"));
  } else if (!Verify(question.domain, question.bytes, signature.ed25519(), person->ed25519_public_key())) {
    tally->notes.push_back(StrCat("the signature of operator ", id, " is not one over these bytes"));
  } else {
    tally->keys.insert(person->ed25519_public_key());
  }
}

absl::Status CheckSignatureSizes(const RepeatedPtrField<v1::Signature>& signatures) {
  if (signatures.empty()) return absl::PermissionDeniedError("it is not signed");
  if (signatures.size() > kMaxSignatures) {
    return Bad(StrCat(signatures.size(), " signatures, at most ", kMaxSignatures));
  }
  for (const v1::Signature& signature : signatures) {
    if (signature.ed25519().size() != kEd25519SignatureBytes ||
        signature.operator_id().size() > kMaxOperatorIdBytes) {
      return Bad("a signature is not of the right length");
    }
  }
  return absl::OkStatus();
}

absl::Status RequireSigners(const RepeatedPtrField<v1::Signature>& signatures, const v1::TrustBundle& bundle,
                            const Question& question, uint32_t needed) {
  Tally tally;
  for (const v1::Signature& signature : signatures) CountSignature(signature, bundle, question, &tally);
  if (tally.keys.size() >= needed) return absl::OkStatus();
  std::string text = StrCat(needed, " operator", needed == 1 ? "" : "s", " with the role ",
                            RoleName(question.role), " must sign, ", tally.keys.size(), " did");
  for (const std::string& note : tally.notes) StrAppend(&text, "; ", note);
  return absl::PermissionDeniedError(text);
}

// A change of trust needs the new bundle's own operators too.
absl::Status VerifyNewTrust(const v1::SignedTrustBundle& signed_bundle, const v1::TrustBundle& old_bundle) {
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, ParseTrustBundle(signed_bundle));
  if (bundle.fleet_id() != old_bundle.fleet_id()) {
    return absl::PermissionDeniedError("the new trust bundle is another fleet's");
  }
  if (bundle.version() <= old_bundle.version()) {
    return absl::PermissionDeniedError(
        StrCat("the new trust bundle has version ", bundle.version(), ", not above ", old_bundle.version()));
  }
  CORDON_RETURN_IF_ERROR(Annotate(CheckSignatureSizes(signed_bundle.signatures()), "the new trust bundle"));
  const Question question{kTrustDomain, signed_bundle.bundle(), v1::TrustedOperator::ROLE_TRUST};
  return Annotate(RequireSigners(signed_bundle.signatures(), bundle, question,
                                 ThresholdOf(bundle, v1::Threshold::ACTION_CLASS_TRUST)),
                  "the new trust bundle");
}

absl::StatusOr<v1::Order> VerifyParsed(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle) {
  if (signed_order.order().size() > kMaxOrderBytes) {
    return Bad(StrCat("it has ", signed_order.order().size(), " bytes, at most ", kMaxOrderBytes));
  }
  CORDON_RETURN_IF_ERROR(CheckSignatureSizes(signed_order.signatures()));
  v1::Order order;
  if (!order.ParseFromString(signed_order.order())) return Bad("its bytes are damaged");
  CORDON_RETURN_IF_ERROR(CheckOrder(order));
  CORDON_RETURN_IF_ERROR(CheckTrustBundle(bundle));
  if (order.fleet_id() != bundle.fleet_id()) {
    return absl::PermissionDeniedError(
        StrCat("it is for fleet ", order.fleet_id(), ", this is fleet ", bundle.fleet_id()));
  }
  const Question question{kOrderDomain, signed_order.order(), RoleFor(ActionClassOf(order))};
  CORDON_RETURN_IF_ERROR(
      RequireSigners(signed_order.signatures(), bundle, question, RequiredSignatures(order, bundle)));
  if (order.has_trust()) CORDON_RETURN_IF_ERROR(VerifyNewTrust(order.trust().bundle(), bundle));
  return order;
}

}  // namespace

absl::Status CheckTrustBundle(const v1::TrustBundle& bundle) {
  const auto in_bundle = [](const absl::Status& status) { return Annotate(status, "trust bundle"); };
  if (!IsUuid(bundle.fleet_id())) return in_bundle(Bad("fleet_id: not a UUID"));
  if (bundle.version() == 0) return in_bundle(Bad("version: missing"));
  if (bundle.operators().empty() || bundle.operators_size() > kMaxOperators) {
    return in_bundle(Bad(StrCat("operators: ", bundle.operators_size(), ", must be 1 to ", kMaxOperators)));
  }
  std::set<std::string_view> ids;
  std::set<std::string_view> keys;
  for (const v1::TrustedOperator& person : bundle.operators()) {
    CORDON_RETURN_IF_ERROR(in_bundle(CheckOperator(person)));
    if (!ids.insert(person.operator_id()).second || !keys.insert(person.ed25519_public_key()).second) {
      return in_bundle(Bad(StrCat("operators: ", person.operator_id(), ": its id or key stands twice")));
    }
  }
  std::set<int> classes;
  for (const v1::Threshold& threshold : bundle.thresholds()) {
    CORDON_RETURN_IF_ERROR(in_bundle(CheckThreshold(threshold, bundle)));
    if (!classes.insert(threshold.action_class()).second) {
      return in_bundle(Bad("thresholds: an action class stands twice"));
    }
  }
  return absl::OkStatus();
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

uint32_t RequiredSignatures(const v1::Order& order, const v1::TrustBundle& bundle) {
  const uint32_t needed = ThresholdOf(bundle, ActionClassOf(order));
  if (!order.target().all()) return needed;
  return std::max(needed, ThresholdOf(bundle, v1::Threshold::ACTION_CLASS_WHOLE_GROUP));
}

absl::StatusOr<v1::Order> VerifyOrder(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle) {
  absl::StatusOr<v1::Order> order = VerifyParsed(signed_order, bundle);
  if (!order.ok()) return Annotate(order.status(), "order refused");
  return order;
}

absl::StatusOr<v1::Signature> SignOrder(std::string_view order_bytes, std::string_view operator_id,
                                        EVP_PKEY& key) {
  CORDON_ASSIGN_OR_RETURN(std::string made, Sign(kOrderDomain, order_bytes, key));
  v1::Signature signature;
  signature.set_operator_id(std::string(operator_id));
  signature.set_ed25519(std::move(made));
  return signature;
}

}  // namespace cordon
