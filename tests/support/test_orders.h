#pragma once

// Orders and trust bundles for tests of who may order what.

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/wire/trust.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

struct TestOperator {
  std::string id = NewUuid();
  KeyPtr key = Must(NewSigningKey());
};

inline void Trust(const TestOperator& person, const std::vector<v1::TrustedOperator::Role>& roles,
                  v1::TrustBundle* bundle) {
  v1::TrustedOperator* trusted = bundle->add_operators();
  trusted->set_operator_id(person.id);
  trusted->set_name("alex");
  trusted->set_ed25519_public_key(Must(RawPublicKey(*person.key)));
  for (const v1::TrustedOperator::Role role : roles) trusted->add_roles(role);
}

inline v1::TrustBundle EmptyBundle(const std::string& fleet_id) {
  v1::TrustBundle bundle;
  bundle.set_fleet_id(fleet_id);
  bundle.set_version(1);
  return bundle;
}

inline void SetThreshold(v1::Threshold::ActionClass action_class, uint32_t count, v1::TrustBundle* bundle) {
  v1::Threshold* threshold = bundle->add_thresholds();
  threshold->set_action_class(action_class);
  threshold->set_signatures(count);
}

// A good order for one host, valid for an hour, without an action.
inline v1::Order BasicOrder(const std::string& fleet_id) {
  v1::Order order;
  order.set_order_id(NewUuid());
  order.set_fleet_id(fleet_id);
  order.mutable_target()->add_hosts()->set_host_id(NewUuid());
  order.set_not_before_unix_nanos(WallNowNanos());
  order.set_expiry_unix_nanos(WallNowNanos() + TestFleet::kHour);
  order.set_sequence(static_cast<uint64_t>(WallNowNanos() / 1'000));
  order.set_reason("unknown remote session");
  return order;
}

inline v1::Order IsolateOrder(const std::string& fleet_id, v1::Level level = v1::LEVEL_ESSENTIAL) {
  v1::Order order = BasicOrder(fleet_id);
  order.mutable_isolate()->set_level(level);
  order.mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
  return order;
}

inline void AddSignature(const TestOperator& person, v1::SignedOrder* order) {
  *order->add_signatures() = Must(SignOrder(order->order(), person.id, *person.key));
}

inline v1::SignedOrder SignedBy(const v1::Order& order, const std::vector<const TestOperator*>& people) {
  v1::SignedOrder signed_order;
  signed_order.set_order(order.SerializeAsString());
  for (const TestOperator* person : people) AddSignature(*person, &signed_order);
  return signed_order;
}

}  // namespace cordon::testing
