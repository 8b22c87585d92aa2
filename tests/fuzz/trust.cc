// Trust bundles, and the chain of them that a host follows (AUT-3, AUT-6).

#include "common/wire/trust.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/crypto/ed25519.h"
#include "common/wire/lifeline.h"
#include "common/wire/order.h"

namespace {

using cordon::v1::TrustBundle;

// The operator of the bundle in force, who signs whatever comes.
struct Signer {
  Signer() {
    bundle.set_fleet_id("6f1c2f8e-52a4-4c2f-9d58-0a1a3f5b7c9d");
    bundle.set_version(2);
    cordon::v1::TrustedOperator& person = *bundle.add_operators();
    person.set_operator_id("11111111-2222-4333-8444-555555555555");
    person.set_ed25519_public_key(*cordon::RawPublicKey(*key));
    person.add_roles(cordon::v1::TrustedOperator::ROLE_TRUST);
  }
  cordon::KeyPtr key = *cordon::NewSigningKey();
  TrustBundle bundle;
};

cordon::v1::SignedOrder ChangeTo(const TrustBundle& next, const Signer& signer) {
  cordon::v1::Order order;
  order.set_order_id("99999999-2222-4333-8444-555555555555");
  order.set_fleet_id(signer.bundle.fleet_id());
  order.mutable_target()->set_all(true);
  order.set_not_before_unix_nanos(1'700'000'000'000'000'000);
  order.set_expiry_unix_nanos(order.not_before_unix_nanos() + 1'000'000'000);
  order.set_sequence(1'700'000'000'000'000);
  order.set_reason("fuzz");
  order.mutable_trust()->mutable_bundle()->set_bundle(next.SerializeAsString());
  cordon::v1::SignedOrder signed_order;
  signed_order.set_order(order.SerializeAsString());
  *signed_order.add_signatures() =
      *cordon::SignOrder(signed_order.order(), signer.bundle.operators(0).operator_id(), *signer.key);
  return signed_order;
}

// What one version accepts must be above it, of its fleet, and be read back whole.
void Follow(TrustBundle next, const Signer& signer) {
  if (next.operators_size() > 0 &&
      next.version() % 2 == 1) {  // often the same person, so that it can be accepted
    next.mutable_operators(0)->set_operator_id(signer.bundle.operators(0).operator_id());
    next.mutable_operators(0)->set_ed25519_public_key(signer.bundle.operators(0).ed25519_public_key());
  }
  const cordon::v1::SignedOrder order = ChangeTo(next, signer);
  const bool accepted = cordon::VerifyOrder(order, signer.bundle).ok();
  const auto count = cordon::CountSignatures(order.order(), order.signatures(), signer.bundle);
  if (accepted != (count.ok() && count->lacking.empty())) std::abort();
  if (!accepted) return;
  if (next.version() <= signer.bundle.version() || next.fleet_id() != signer.bundle.fleet_id()) std::abort();
  if (!cordon::CheckTrustBundle(next).ok() || !cordon::ReadAcceptedTrust(order).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Signer signer;
  const std::string input(reinterpret_cast<const char*>(data), size);
  cordon::v1::SignedTrustBundle signed_bundle;
  signed_bundle.set_bundle(input);
  static_cast<void>(cordon::ParseTrustBundle(signed_bundle));
  cordon::v1::SignedOrder stored;
  if (stored.ParseFromString(input) && cordon::ReadAcceptedTrust(stored).ok() &&
      !cordon::ReadAcceptedTrust(stored)->order.has_trust()) {
    std::abort();
  }
  TrustBundle bundle;
  if (!bundle.ParseFromString(input)) return 0;
  Follow(bundle, signer);
  for (const cordon::v1::Lifeline& line : bundle.lifelines()) {
    for (const std::string& host_id : line.host_ids()) {
      static_cast<void>(
          cordon::FindLifeline(bundle, {.host_id = host_id, .name = "", .site = line.site(), .labels = {}}));
    }
  }
  TrustBundle with_defaults = bundle;
  with_defaults.clear_thresholds();
  if (!cordon::CheckTrustBundle(with_defaults).ok()) return 0;
  for (const auto& threshold : cordon::DefaultThresholds(bundle.operators()))
    *with_defaults.add_thresholds() = threshold;
  if (!cordon::CheckTrustBundle(with_defaults).ok()) std::abort();  // they can always be reached
  return 0;
}
