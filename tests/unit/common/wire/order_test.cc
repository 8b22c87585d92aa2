#include "common/wire/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "tests/support/status_matchers.h"
#include "tests/support/test_orders.h"

namespace cordon {
namespace {

using testing::BasicOrder;
using testing::IsolateOrder;

struct BadOrder {
  std::string_view error;
  std::function<void(v1::Order&)> change;
};

std::ostream& operator<<(std::ostream& out, const BadOrder& bad) {
  return out << bad.error;
}

v1::Tripwires& PolicyTripwires(v1::Order& order) {
  v1::Policy& policy = *order.mutable_policy()->mutable_policy();
  if (policy.watched_paths().empty()) policy.add_watched_paths("/home");
  return *policy.mutable_tripwires();
}

// A good one, to be spoiled.
v1::SelfIsolation& SelfIsolationOf(v1::Order& order) {
  v1::SelfIsolation& isolate = *PolicyTripwires(order).mutable_isolate();
  isolate.set_level(v1::LEVEL_ESSENTIAL);
  isolate.mutable_lease()->mutable_length()->set_seconds(3600);
  return isolate;
}

class OrderField : public ::testing::TestWithParam<BadOrder> {};

TEST_P(OrderField, OutOfBoundsIsNamed) {
  v1::Order order = IsolateOrder(NewUuid());
  ASSERT_TRUE(CheckOrder(order).ok()) << CheckOrder(order);
  GetParam().change(order);
  const absl::Status status = CheckOrder(order);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)), ::testing::HasSubstr(std::string(GetParam().error)));
}

INSTANTIATE_TEST_SUITE_P(
    Envelope, OrderField,
    ::testing::Values(
        BadOrder{"order_id", [](auto& order) { order.set_order_id("1"); }},
        BadOrder{"fleet_id", [](auto& order) { order.clear_fleet_id(); }},
        BadOrder{"target: names no", [](auto& order) { order.clear_target(); }},
        BadOrder{"target: 'x' is not a host id",
                 [](auto& order) { order.mutable_target()->add_hosts()->set_host_id("x"); }},
        BadOrder{"target: the site", [](auto& order) { order.mutable_target()->add_sites("Leeds!"); }},
        BadOrder{"labels: the key", [](auto& order) { order.mutable_target()->add_labels()->set_key("A"); }},
        BadOrder{"expiry: not after",
                 [](auto& order) { order.set_expiry_unix_nanos(order.not_before_unix_nanos()); }},
        BadOrder{"more than 90 days",
                 [](auto& order) {
                   order.set_expiry_unix_nanos(order.not_before_unix_nanos() + kMaxOrderLifeNanos + 1);
                 }},
        BadOrder{"not_before", [](auto& order) { order.set_not_before_unix_nanos(-1); }},
        BadOrder{"sequence: missing", [](auto& order) { order.set_sequence(0); }},
        BadOrder{"sequence: more than an hour ahead",
                 [](auto& order) { order.set_sequence(order.sequence() + 2 * kMaxSequenceLeadMicros); }},
        BadOrder{"reason: missing", [](auto& order) { order.clear_reason(); }},
        BadOrder{"reason", [](auto& order) { order.set_reason(std::string(1'001, 'x')); }},
        BadOrder{"incident", [](auto& order) { order.set_incident("a\x1b[2Jb"); }},
        BadOrder{"action: missing", [](auto& order) { order.clear_action(); }}));

INSTANTIATE_TEST_SUITE_P(
    Actions, OrderField,
    ::testing::Values(
        BadOrder{"isolate: level",
                 [](auto& order) { order.mutable_isolate()->set_level(v1::LEVEL_OBSERVE); }},
        BadOrder{"isolate: level",
                 [](auto& order) { order.mutable_isolate()->set_level(static_cast<v1::Level>(6)); }},
        BadOrder{"isolate: fallback", [](auto& order) { order.mutable_isolate()->clear_fallback(); }},
        BadOrder{"isolate: profile", [](auto& order) { order.mutable_isolate()->mutable_profile(); }},
        BadOrder{"profile: controller-only and dark have none",
                 [](auto& order) {
                   order.mutable_isolate()->set_level(v1::LEVEL_DARK);
                   order.mutable_isolate()->mutable_profile()->set_name("clinic");
                 }},
        BadOrder{"lease.length", [](auto& order) { order.mutable_isolate()->mutable_lease(); }},
        BadOrder{"lease.then",
                 [](auto& order) {
                   order.mutable_isolate()->mutable_lease()->mutable_length()->set_seconds(60);
                   order.mutable_isolate()->mutable_lease()->set_then(v1::LEVEL_ESSENTIAL);
                 }},
        BadOrder{"user_message",
                 [](auto& order) { order.mutable_isolate()->set_user_message(std::string(501, 'x')); }},
        BadOrder{"scan: spec: asks for nothing", [](auto& order) { order.mutable_scan(); }},
        BadOrder{"scan: paths",
                 [](auto& order) {
                   order.mutable_scan()->mutable_spec()->mutable_integrity();
                   order.mutable_scan()->mutable_spec()->add_paths("etc");
                 }},
        BadOrder{"scan: indicators: there is nothing to look for",
                 [](auto& order) {
                   order.mutable_scan()->mutable_spec()->mutable_indicators()->set_running_processes(true);
                 }},
        BadOrder{"scan: indicators: yara: two rule files are called a.yar",
                 [](auto& order) {
                   v1::IndicatorCheck& check = *order.mutable_scan()->mutable_spec()->mutable_indicators();
                   for (int i = 0; i < 2; ++i) check.add_yara()->set_name("a.yar");
                 }},
        BadOrder{"indicators: sha256: an entry has 31 bytes",
                 [](auto& order) {
                   order.mutable_scan()->mutable_spec()->mutable_indicators()->add_sha256(
                       std::string(31, 'x'));
                 }},
        BadOrder{"cancel_scan", [](auto& order) { order.mutable_cancel_scan(); }},
        BadOrder{"pause_scan", [](auto& order) { order.mutable_pause_scan(); }},
        BadOrder{"policy: tripwires: canary_folders",
                 [](auto& order) { PolicyTripwires(order).add_canary_folders("home"); }},
        BadOrder{"policy: tripwires: files", [](auto& order) { PolicyTripwires(order).set_files(1001); }},
        BadOrder{"policy: tripwires: window_nanos",
                 [](auto& order) { PolicyTripwires(order).set_window_nanos(-1); }},
        BadOrder{"policy: tripwires: isolate.level",
                 [](auto& order) { SelfIsolationOf(order).set_level(v1::LEVEL_DARK); }},
        BadOrder{"policy: tripwires: isolate.lease: required",
                 [](auto& order) { SelfIsolationOf(order).clear_lease(); }},
        BadOrder{"policy: tripwires: isolate.lease: required, at most 24 hours",
                 [](auto& order) {
                   SelfIsolationOf(order).mutable_lease()->mutable_length()->set_seconds(25 * 3600);
                 }},
        BadOrder{"policy: watched_paths",
                 [](auto& order) { order.mutable_policy()->mutable_policy()->add_watched_paths("../etc"); }},
        BadOrder{"trust: trust bundle", [](auto& order) { order.mutable_trust(); }},
        BadOrder{"trust: bundle: signatures",
                 [](auto& order) { order.mutable_trust()->mutable_bundle()->add_signatures(); }}));

TEST(Order, OfTrustMayLiveForTenYears) {
  const testing::TestOperator alex;
  v1::Order order = BasicOrder(NewUuid());
  v1::TrustBundle bundle = testing::EmptyBundle(order.fleet_id());
  testing::Trust(alex, {v1::TrustedOperator::ROLE_TRUST}, &bundle);
  order.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
  order.set_expiry_unix_nanos(order.not_before_unix_nanos() + kMaxTrustOrderLifeNanos);
  EXPECT_THAT(CheckOrder(order), testing::IsOk());
  order.set_expiry_unix_nanos(order.expiry_unix_nanos() + 1);
  EXPECT_THAT(CheckOrder(order), testing::Fails(absl::StatusCode::kInvalidArgument, "more than 10 years"));
}

TEST(Order, LeaseBoundsAreInclusive) {
  v1::Order order = IsolateOrder(NewUuid());
  auto* length = order.mutable_isolate()->mutable_lease()->mutable_length();
  length->set_seconds(60);
  EXPECT_TRUE(CheckOrder(order).ok());
  length->set_seconds(90LL * 24 * 3600);
  EXPECT_TRUE(CheckOrder(order).ok());
  length->set_nanos(1);
  EXPECT_FALSE(CheckOrder(order).ok());
}

TEST(Order, HasALaneAndAClassByItsAction) {
  v1::Order order = BasicOrder(NewUuid());
  EXPECT_EQ(LaneOf(order), "");
  EXPECT_EQ(ActionClassOf(order), v1::Threshold::ACTION_CLASS_UNSPECIFIED);
  order.mutable_release();
  EXPECT_EQ(LaneOf(order), "isolation");
  EXPECT_EQ(ActionClassOf(order), v1::Threshold::ACTION_CLASS_ISOLATE);
  EXPECT_EQ(ActionClassOf(IsolateOrder(NewUuid(), v1::LEVEL_CONTROLLER_ONLY)),
            v1::Threshold::ACTION_CLASS_ISOLATE_HARD);
  order.mutable_cancel_scan();
  EXPECT_EQ(LaneOf(order), "scan");
  order.mutable_trust();
  EXPECT_EQ(LaneOf(order), "trust");
}

}  // namespace
}  // namespace cordon
