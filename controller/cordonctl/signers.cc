#include "controller/cordonctl/signers.h"

#include <algorithm>
#include <map>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "common/crypto/fingerprint.h"
#include "common/wire/json.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"

namespace cordon::ctl {
namespace {

constexpr size_t kIdShown = 8;
constexpr size_t kMostNames = 10;

using People = std::map<std::string, v1::TrustedOperator>;

// Those of the new bundle first: a person who stands in both is shown as they will be.
absl::StatusOr<People> PeopleFor(const v1::Order& order, const v1::TrustBundle& bundle) {
  People people;
  if (order.has_trust()) {
    CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle next, ParseTrustBundle(order.trust().bundle()));
    for (const v1::TrustedOperator& person : next.operators())
      people.try_emplace(person.operator_id(), person);
  }
  for (const v1::TrustedOperator& person : bundle.operators()) {
    people.try_emplace(person.operator_id(), person);
  }
  return people;
}

std::string UnlockKeyText(const v1::TrustedOperator& person) {
  return person.unlock_public_key().empty() ? std::string()
                                            : StrCat(", unlock key ", HexEncode(person.unlock_public_key()));
}

void CompareOperators(const v1::TrustBundle& before, const v1::TrustBundle& after,
                      std::vector<std::string>* lines) {
  People old;
  for (const v1::TrustedOperator& person : before.operators()) old[person.operator_id()] = person;
  for (const v1::TrustedOperator& person : after.operators()) {
    const auto known = old.find(person.operator_id());
    if (known == old.end()) {
      lines->push_back(StrCat("new operator ", person.name(), " ", person.operator_id(), ": ",
                              RolesOf(person), ", signing key ", HexEncode(person.ed25519_public_key()),
                              UnlockKeyText(person)));
      continue;
    }
    const v1::TrustedOperator was = known->second;
    old.erase(known);
    if (RolesOf(was) != RolesOf(person)) {
      lines->push_back(StrCat("operator ", NameOf(person), ": ", RolesOf(was), " becomes ", RolesOf(person)));
    }
    if (was.name() != person.name()) {
      lines->push_back(StrCat("operator ", NameOf(was), " is called ", person.name()));
    }
    if (was.ed25519_public_key() != person.ed25519_public_key()) {
      lines->push_back(StrCat("operator ", NameOf(person), ": another signing key, ",
                              HexEncode(person.ed25519_public_key())));
    }
    if (was.unlock_public_key() != person.unlock_public_key()) {
      lines->push_back(StrCat("operator ", NameOf(person), ": another unlock key", UnlockKeyText(person)));
    }
  }
  for (const auto& [id, person] : old) {
    lines->push_back(StrCat("operator ", person.name(), " ", id, " is removed"));
  }
}

void CompareThresholds(const v1::TrustBundle& before, const v1::TrustBundle& after,
                       std::vector<std::string>* lines) {
  for (int number = v1::Threshold::ActionClass_MIN; number <= v1::Threshold::ActionClass_MAX; ++number) {
    if (!v1::Threshold::ActionClass_IsValid(number)) continue;
    const auto action_class = static_cast<v1::Threshold::ActionClass>(number);
    const uint32_t was = ThresholdOf(before, action_class);
    const uint32_t is = ThresholdOf(after, action_class);
    if (was != is) {
      lines->push_back(StrCat("signatures for ", WordOf(action_class), ": ", was, " becomes ", is));
    }
  }
}

std::string LifelineText(const v1::Lifeline& line) {
  std::string text = StrCat("the first ", line.hosts(), " of ", line.host_ids_size(), " hosts not above ",
                            WordOf(line.level()), " without ", line.signatures(), " signatures:");
  for (const std::string& id : line.host_ids()) StrAppend(&text, " ", id);
  return text;
}

void CompareLifelines(const v1::TrustBundle& before, const v1::TrustBundle& after,
                      std::vector<std::string>* lines) {
  std::map<std::string, v1::Lifeline> old;
  for (const v1::Lifeline& line : before.lifelines()) old[line.site()] = line;
  for (const v1::Lifeline& line : after.lifelines()) {
    const auto known = old.find(line.site());
    const bool same = known != old.end() && known->second.SerializeAsString() == line.SerializeAsString();
    if (known != old.end()) old.erase(known);
    if (!same) lines->push_back(StrCat("lifeline of site ", line.site(), ": ", LifelineText(line)));
  }
  for (const auto& [site, line] : old) lines->push_back(StrCat("lifeline of site ", site, " is removed"));
}

// As other tools print it; of what is no certificate (and no host takes), the hash of its bytes.
std::string FingerprintOf(const std::string& pem) {
  return HexEncode(CertificateSha256(pem).value_or(Sha256(pem)));
}

// Whoever signs is to see which: a count alone would let one CA take the place of another.
void CompareAuthorities(const v1::TrustBundle& before, const v1::TrustBundle& after,
                        std::vector<std::string>* lines) {
  if (std::ranges::equal(before.ca_pem(), after.ca_pem())) return;
  lines->push_back(StrCat("certificate authorities: ", after.ca_pem_size(), " instead of ",
                          before.ca_pem_size(),
                          after.ca_pem().empty() ? " (none: those of the enrolment count)" : ""));
  const auto tell = [&](const char* what, const auto& those, const auto& others) {
    for (const std::string& pem : those) {
      if (std::ranges::find(others, pem) == others.end())
        lines->push_back(StrCat(what, " CA SHA-256 ", FingerprintOf(pem)));
    }
  };
  tell("new", after.ca_pem(), before.ca_pem());
  tell("removed", before.ca_pem(), after.ca_pem());
}

void CompareLogKeys(const v1::TrustBundle& before, const v1::TrustBundle& after,
                    std::vector<std::string>* lines) {
  if (before.audit_log_public_key() == after.audit_log_public_key()) return;
  lines->push_back(after.audit_log_public_key().empty()
                       ? std::string("the audit log has no key any more: hosts do not witness it")
                       : StrCat("another key of the audit log, ", HexEncode(after.audit_log_public_key()),
                                ": hosts begin it anew"));
}

}  // namespace

absl::StatusOr<Signers> SignersOf(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle) {
  CORDON_RETURN_IF_ERROR(CountSignatures(signed_order.order(), signed_order.signatures(), bundle).status());
  v1::Order order;
  if (!order.ParseFromString(signed_order.order())) return absl::InvalidArgumentError("it is damaged");
  CORDON_ASSIGN_OR_RETURN(People people, PeopleFor(order, bundle));
  Signers signers;
  for (const v1::Signature& signature : signed_order.signatures()) {
    const absl::Status counts = CheckSignature(signed_order.order(), signature, bundle);
    if (!counts.ok()) {
      signers.idle.emplace_back(Message(counts));
      continue;
    }
    const auto person = people.find(signature.operator_id());
    if (person == people.end()) continue;  // twice
    signers.have.push_back(person->second);
    people.erase(person);
  }
  for (const auto& [id, person] : people) {
    if (LackingRole(person, order) == v1::TrustedOperator::ROLE_UNSPECIFIED) signers.may.push_back(person);
  }
  return signers;
}

std::string NameOf(const v1::TrustedOperator& person) {
  return StrCat(person.name(), " (", person.operator_id().substr(0, kIdShown), ")");
}

std::string NamesOf(const std::vector<v1::TrustedOperator>& people) {
  std::string text;
  for (size_t i = 0; i < people.size(); ++i) {
    if (i == kMostNames) return StrAppend(&text, " and ", people.size() - i, " more"), text;
    StrAppend(&text, text.empty() ? "" : ", ", NameOf(people[i]));
  }
  return text.empty() ? "nobody" : text;
}

std::string RolesOf(const v1::TrustedOperator& person) {
  std::string text;
  for (const int role : person.roles()) {
    StrAppend(&text, text.empty() ? "" : ", ", WordOf(static_cast<v1::TrustedOperator::Role>(role)));
  }
  return text.empty() ? "no role" : text;
}

std::vector<std::string> DescribeTrustChange(const v1::TrustBundle& before, const v1::TrustBundle& after) {
  std::vector<std::string> lines;
  CompareOperators(before, after, &lines);
  CompareThresholds(before, after, &lines);
  CompareLifelines(before, after, &lines);
  CompareAuthorities(before, after, &lines);
  CompareLogKeys(before, after, &lines);
  if (lines.empty()) lines.emplace_back("nothing but the version");
  return lines;
}

}  // namespace cordon::ctl
