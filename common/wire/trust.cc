#include "common/wire/trust.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/ed25519.h"
#include "common/wire/json.h"
#include "common/wire/order.h"

namespace cordon {
namespace {

using google::protobuf::RepeatedPtrField;
using Signatures = RepeatedPtrField<v1::Signature>;

constexpr size_t kMaxOperatorIdBytes = 64;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

// The distinct operators whose good signatures count, and a sentence for each signature that does not. A
// bundle has no id and no key twice, so distinct operators have distinct keys.
struct Tally {
  std::set<std::string> operators;
  std::vector<std::string> notes;
};

// Whether enough of those who may sign `order` signed `bytes`, which are it.
struct Question {
  std::string_view bytes;
  const v1::Order& order;
  uint32_t needed;
};

void CountSignature(const v1::Signature& signature, const v1::TrustBundle& bundle, const Question& question,
                    Tally* tally) {
  const std::string id = Printable(signature.operator_id());
  const auto person =
      std::ranges::find(bundle.operators(), signature.operator_id(), &v1::TrustedOperator::operator_id);
  if (person == bundle.operators().end()) {
    tally->notes.push_back(StrCat("operator ", id, " is not in the trust bundle"));
  } else if (const auto lacking = LackingRole(*person, question.order);
             lacking != v1::TrustedOperator::ROLE_UNSPECIFIED) {
    tally->notes.push_back(StrCat("operator ", id, " lacks the role ", WordOf(lacking)));
  } else if (tally->operators.contains(id)) {
    tally->notes.push_back(StrCat("operator ", id, " signed twice, which counts once"));
  } else if (!Verify(kOrderDomain, question.bytes, signature.ed25519(), person->ed25519_public_key())) {
    tally->notes.push_back(StrCat("the signature of operator ", id, " is not one over these bytes"));
  } else {
    tally->operators.insert(id);
  }
}

std::string WordsOf(const std::vector<v1::TrustedOperator::Role>& roles) {
  std::string words;
  for (const v1::TrustedOperator::Role role : roles) {
    StrAppend(&words, words.empty() ? "" : " and the role ", WordOf(role));
  }
  return words;
}

// AUT-3: what lets hosts isolate themselves is judged as isolating them.
bool LetsHostsIsolate(const v1::Order& order) {
  return order.policy().policy().tripwires().has_isolate();
}

absl::Status CheckSignatureSizes(const Signatures& signatures) {
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

SignatureCount Count(const Signatures& signatures, const v1::TrustBundle& bundle, const Question& question) {
  Tally tally;
  for (const v1::Signature& signature : signatures) CountSignature(signature, bundle, question, &tally);
  SignatureCount count{
      .have = static_cast<uint32_t>(tally.operators.size()), .needed = question.needed, .lacking = ""};
  if (count.have >= count.needed) return count;
  count.lacking = StrCat(count.needed, " operator", count.needed == 1 ? "" : "s", " with the role ",
                         WordsOf(RolesFor(question.order)), " must sign, ", count.have, " did");
  for (const std::string& note : tally.notes) StrAppend(&count.lacking, "; ", note);
  return count;
}

// The new bundle of a change of trust, when it may follow the old one.
absl::StatusOr<v1::TrustBundle> NewBundle(const v1::Order& order, const v1::TrustBundle& old_bundle) {
  CORDON_ASSIGN_OR_RETURN(v1::TrustBundle bundle, ParseTrustBundle(order.trust().bundle()));
  if (bundle.fleet_id() != old_bundle.fleet_id()) {
    return absl::PermissionDeniedError("the new trust bundle is another fleet's");
  }
  if (bundle.version() <= old_bundle.version()) {
    return absl::PermissionDeniedError(
        StrCat("the new trust bundle has version ", bundle.version(), ", not above ", old_bundle.version()));
  }
  return bundle;
}

uint32_t Missing(const SignatureCount& count) {
  return count.needed - std::min(count.have, count.needed);
}

// By the bundle in force; and for a change of trust, by the same signatures, by the new one.
absl::StatusOr<SignatureCount> CountFor(const v1::Order& order, std::string_view bytes,
                                        const Signatures& signatures, const v1::TrustBundle& bundle) {
  SignatureCount count = Count(signatures, bundle, {bytes, order, RequiredSignatures(order, bundle)});
  if (!order.has_trust()) return count;
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle next, NewBundle(order, bundle));
  SignatureCount by_new = Count(signatures, next, {bytes, order, RequiredSignatures(order, next)});
  if (!by_new.lacking.empty()) by_new.lacking = StrCat("by the new trust bundle: ", by_new.lacking);
  if (Missing(by_new) == 0 && Missing(count) == 0) return by_new.needed > count.needed ? by_new : count;
  return Missing(by_new) > Missing(count) ? by_new : count;
}

absl::StatusOr<v1::Order> ParseOrder(std::string_view bytes, const Signatures& signatures) {
  if (bytes.size() > kMaxOrderBytes) {
    return Bad(StrCat("it has ", bytes.size(), " bytes, at most ", kMaxOrderBytes));
  }
  CORDON_RETURN_IF_ERROR(CheckSignatureSizes(signatures));
  v1::Order order;
  if (!order.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Bad("its bytes are damaged");
  CORDON_RETURN_IF_ERROR(CheckOrder(order));
  return order;
}

absl::StatusOr<v1::Order> ParseFor(std::string_view bytes, const Signatures& signatures,
                                   const v1::TrustBundle& bundle) {
  CORDON_ASSIGN_OR_RETURN(v1::Order order, ParseOrder(bytes, signatures));
  CORDON_RETURN_IF_ERROR(CheckTrustBundle(bundle));
  if (order.fleet_id() != bundle.fleet_id()) {
    return absl::PermissionDeniedError(
        StrCat("it is for fleet ", order.fleet_id(), ", this is fleet ", bundle.fleet_id()));
  }
  return order;
}

absl::StatusOr<v1::Order> VerifyParsed(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle) {
  if (signed_order.signatures().empty() && signed_order.order().size() <= kMaxOrderBytes) {
    return absl::PermissionDeniedError("it is not signed");
  }
  CORDON_ASSIGN_OR_RETURN(v1::Order order, ParseFor(signed_order.order(), signed_order.signatures(), bundle));
  CORDON_ASSIGN_OR_RETURN(const SignatureCount count,
                          CountFor(order, signed_order.order(), signed_order.signatures(), bundle));
  if (!count.lacking.empty()) return absl::PermissionDeniedError(count.lacking);
  return order;
}

}  // namespace

uint32_t RequiredSignatures(const v1::Order& order, const v1::TrustBundle& bundle) {
  uint32_t needed = ThresholdOf(bundle, ActionClassOf(order));
  if (LetsHostsIsolate(order)) {
    needed = std::max(needed, ThresholdOf(bundle, v1::Threshold::ACTION_CLASS_ISOLATE));
  }
  if (!order.target().all() || order.has_trust()) return needed;
  return std::max(needed, ThresholdOf(bundle, v1::Threshold::ACTION_CLASS_WHOLE_GROUP));
}

std::vector<v1::TrustedOperator::Role> RolesFor(const v1::Order& order) {
  std::vector<v1::TrustedOperator::Role> roles = {RoleFor(ActionClassOf(order))};
  if (LetsHostsIsolate(order)) roles.push_back(v1::TrustedOperator::ROLE_ISOLATE);
  return roles;
}

v1::TrustedOperator::Role LackingRole(const v1::TrustedOperator& person, const v1::Order& order) {
  for (const v1::TrustedOperator::Role role : RolesFor(order)) {
    if (!HasRole(person, role)) return role;
  }
  return v1::TrustedOperator::ROLE_UNSPECIFIED;
}

absl::StatusOr<SignatureCount> CountSignatures(std::string_view order_bytes, const Signatures& signatures,
                                               const v1::TrustBundle& bundle) {
  CORDON_ASSIGN_OR_RETURN(const v1::Order order, ParseFor(order_bytes, signatures, bundle));
  return CountFor(order, order_bytes, signatures, bundle);
}

absl::Status CheckSignature(std::string_view order_bytes, const v1::Signature& signature,
                            const v1::TrustBundle& bundle) {
  Signatures alone;
  *alone.Add() = signature;
  CORDON_ASSIGN_OR_RETURN(const v1::Order order, ParseFor(order_bytes, alone, bundle));
  const Question question{order_bytes, order, 1};
  Tally tally;
  CountSignature(signature, bundle, question, &tally);
  if (tally.operators.empty() && order.has_trust()) {
    CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle next, NewBundle(order, bundle));
    CountSignature(signature, next, question, &tally);
  }
  if (!tally.operators.empty()) return absl::OkStatus();
  return absl::PermissionDeniedError(StrCat("the signature counts for nothing: ", tally.notes.front()));
}

absl::StatusOr<v1::Order> VerifyOrder(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle) {
  absl::StatusOr<v1::Order> order = VerifyParsed(signed_order, bundle);
  if (!order.ok()) return Annotate(order.status(), "order refused");
  return order;
}

absl::StatusOr<AcceptedTrust> ReadAcceptedTrust(const v1::SignedOrder& signed_order) {
  AcceptedTrust accepted;
  CORDON_ASSIGN_OR_RETURN(accepted.order, ParseOrder(signed_order.order(), signed_order.signatures()));
  if (!accepted.order.has_trust()) return Bad("it is no change of trust");
  CORDON_ASSIGN_OR_RETURN(accepted.bundle, ParseTrustBundle(accepted.order.trust().bundle()));
  const Question question{signed_order.order(), accepted.order,
                          RequiredSignatures(accepted.order, accepted.bundle)};
  const SignatureCount count = Count(signed_order.signatures(), accepted.bundle, question);
  if (!count.lacking.empty()) return absl::PermissionDeniedError(count.lacking);
  return accepted;
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
