// Orders, trust bundles and profiles as they come from the controller.

#include "common/wire/order.h"

#include <cstdint>
#include <cstdlib>

#include "common/wire/profile.h"
#include "common/wire/trust.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  cordon::v1::Order order;
  if (order.ParseFromString(input) && cordon::CheckOrder(order).ok()) {
    if (cordon::LaneOf(order).empty()) std::abort();
    static_cast<void>(cordon::TargetMatches(order.target(), {}));
  }
  cordon::v1::SignedOrder signed_order;
  signed_order.set_order(input);
  // Nobody is trusted, so nothing may pass.
  if (cordon::VerifyOrder(signed_order, {}).ok()) std::abort();
  if (signed_order.ParseFromString(input) && cordon::VerifyOrder(signed_order, {}).ok()) std::abort();
  cordon::v1::SignedTrustBundle bundle;
  bundle.set_bundle(input);
  static_cast<void>(cordon::ParseTrustBundle(bundle));
  if (cordon::VerifyTrustBundleHash(bundle, {}).ok()) std::abort();
  cordon::v1::Profile profile;
  if (profile.ParseFromString(input)) static_cast<void>(cordon::CheckProfile(profile));
  return 0;
}
