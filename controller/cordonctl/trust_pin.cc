#include "controller/cordonctl/trust_pin.h"

#include <optional>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "controller/cordonctl/identity.h"

namespace cordon::ctl {
namespace {

constexpr int kMaxSteps = 10'000;  // a controller could go on for ever

absl::Status Refused(std::string_view why) {
  return absl::PermissionDeniedError(StrCat(
      "the operators that the controller tells of do not follow from those that this identity is "
      "pinned to: ",
      why, ". It was set back to an old state, or is not to be believed: sign nothing before you know why"));
}

v1::SignedTrustBundle BundleIn(const v1::SignedOrder& signed_order) {
  v1::Order order;
  if (signed_order.order().size() > kMaxOrderBytes || !order.ParseFromString(signed_order.order())) return {};
  return order.trust().bundle();
}

// Walks the chain that the controller hands over.
class Walk {
 public:
  explicit Walk(const TrustPin& pin) : pin_(pin) {}

  bool Begun() const { return bundle_.has_value(); }
  uint64_t Version() const { return version_; }

  absl::Status Step(const v1::SignedOrder& signed_order) {
    return Begun() ? Follow(signed_order) : Begin(signed_order);
  }

  FollowedTrust End() && { return {*std::move(bundle_), std::move(pin_)}; }

 private:
  // Passes over what is older than the pinned bundle, which is known by its hash and needs no other proof.
  absl::Status Begin(const v1::SignedOrder& signed_order) {
    const v1::SignedTrustBundle candidate = BundleIn(signed_order);
    absl::StatusOr<v1::TrustBundle> bundle = ParseTrustBundle(candidate);
    if (!bundle.ok()) return Refused(Message(bundle.status()));
    if (bundle->version() <= version_) return Refused("the versions do not rise");
    version_ = bundle->version();
    if (Sha256(candidate.bundle()) == pin_.sha256) {
      pin_.version = version_;
      bundle_ = *std::move(bundle);
      return absl::OkStatus();
    }
    if (pin_.version == 0) return absl::OkStatus();
    return Refused(StrCat("it does not know the trust bundle of version ", pin_.version));
  }

  absl::Status Follow(const v1::SignedOrder& signed_order) {
    const absl::StatusOr<v1::Order> order = VerifyOrder(signed_order, *bundle_);
    if (!order.ok()) return Refused(StrCat("after version ", version_, ": ", Message(order.status())));
    if (!order->has_trust()) return Refused("an order among them is no change of trust");
    if (order->sequence() <= sequence_) return Refused("the changes of trust are not in turn");
    sequence_ = order->sequence();
    CORDON_ASSIGN_OR_RETURN(bundle_, ParseTrustBundle(order->trust().bundle()));
    version_ = bundle_->version();
    pin_ = {Sha256(order->trust().bundle().bundle()), version_};
    return absl::OkStatus();
  }

  TrustPin pin_;
  std::optional<v1::TrustBundle> bundle_;
  uint64_t version_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace

absl::StatusOr<FollowedTrust> FollowTrust(const TrustPin& pin, const v1::SignedTrustBundle& current,
                                          const TrustHistory& history) {
  if (Sha256(current.bundle()) == pin.sha256) {
    CORDON_ASSIGN_OR_RETURN(v1::TrustBundle bundle, ParseTrustBundle(current));
    const uint64_t version = bundle.version();
    return FollowedTrust{std::move(bundle), {pin.sha256, version}};
  }
  Walk walk(pin);
  uint64_t after = pin.version == 0 ? 0 : pin.version - 1;  // the pinned one first
  for (int steps = 0; steps < kMaxSteps;) {
    CORDON_ASSIGN_OR_RETURN(const std::vector<v1::SignedOrder> orders, history(after));
    if (orders.empty()) {
      if (walk.Begun()) return std::move(walk).End();
      return Refused(pin.version == 0 ? std::string("it does not know the pinned trust bundle")
                                      : StrCat("it does not know the trust bundle of version ", pin.version));
    }
    for (const v1::SignedOrder& order : orders) {
      CORDON_RETURN_IF_ERROR(walk.Step(order));
      ++steps;
    }
    after = walk.Version();
  }
  return Refused("their history does not end");
}

void PinTrust(const FollowedTrust& trust, v1::OperatorIdentity* identity) {
  identity->set_trust_bundle_sha256(trust.pin.sha256);
  identity->set_trust_version(trust.pin.version);
  if (trust.bundle.ca_pem().empty()) return;
  std::string authorities;
  for (const std::string& ca_pem : trust.bundle.ca_pem()) {
    // A file that ends without a line's end would glue two certificates into none.
    StrAppend(&authorities, ca_pem, ca_pem.ends_with('\n') ? "" : "\n");
  }
  identity->set_ca_pem(std::move(authorities));
}

absl::Status PinTrust(const std::string& identity_path, const FollowedTrust& trust) {
  CORDON_ASSIGN_OR_RETURN(v1::OperatorIdentity identity, ReadIdentity(identity_path));
  PinTrust(trust, &identity);
  return WriteIdentity(identity_path, identity);
}

}  // namespace cordon::ctl
