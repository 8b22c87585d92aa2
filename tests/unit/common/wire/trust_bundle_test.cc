#include "common/wire/trust_bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/status_matchers.h"
#include "tests/support/test_orders.h"

namespace cordon {
namespace {

using testing::Fails;
using testing::IsOk;
using testing::TestFleet;
using testing::TestOperator;
using testing::Trust;
using Role = v1::TrustedOperator;

const TestFleet& Fleet() {
  static const TestFleet fleet;
  return fleet;
}

// With every field set.
v1::TrustBundle Whole() {
  static const TestOperator alex;
  static const TestOperator sam;
  v1::TrustBundle bundle = testing::EmptyBundle(Fleet().FleetId());
  Trust(alex, {Role::ROLE_ISOLATE, Role::ROLE_TRUST, Role::ROLE_UNLOCK}, &bundle);
  Trust(sam, {Role::ROLE_ISOLATE}, &bundle);
  bundle.mutable_operators(0)->set_unlock_public_key(std::string(32, 'u'));
  testing::SetThreshold(v1::Threshold::ACTION_CLASS_ISOLATE_HARD, 2, &bundle);
  bundle.set_audit_log_public_key(std::string(32, 'a'));
  v1::Lifeline* line = bundle.add_lifelines();
  line->set_site("leeds");
  line->set_level(v1::LEVEL_CONTROLLER_ONLY);
  line->set_hosts(1);
  line->set_signatures(2);
  line->add_host_ids(NewUuid());
  bundle.add_ca_pem(Fleet().CaPem());
  return bundle;
}

struct BadBundle {
  const char* why;
  std::function<void(v1::TrustBundle&)> spoil;
};

class TrustBundleField : public ::testing::TestWithParam<BadBundle> {};

TEST_P(TrustBundleField, AUT6_OutOfBoundsIsRefusedAndNamed) {
  v1::TrustBundle bundle = Whole();
  ASSERT_THAT(CheckTrustBundle(bundle), IsOk());
  GetParam().spoil(bundle);
  EXPECT_THAT(CheckTrustBundle(bundle), Fails(absl::StatusCode::kInvalidArgument, GetParam().why));
}

v1::Lifeline& Line(v1::TrustBundle& bundle) {
  return *bundle.mutable_lifelines(0);
}

INSTANTIATE_TEST_SUITE_P(
    Bundle, TrustBundleField,
    ::testing::Values(
        BadBundle{"fleet_id", [](auto& b) { b.clear_fleet_id(); }},
        BadBundle{"version", [](auto& b) { b.clear_version(); }},
        BadBundle{"field 99", [](auto& b) { b.GetReflection()->MutableUnknownFields(&b)->AddVarint(99, 1); }},
        BadBundle{"operators: 0, must be", [](auto& b) { b.clear_operators(); }},
        BadBundle{"an operator_id is not", [](auto& b) { b.mutable_operators(0)->set_operator_id("x"); }},
        BadBundle{"stands twice",
                  [](auto& b) { b.mutable_operators(1)->set_operator_id(b.operators(0).operator_id()); }},
        BadBundle{"stands twice",
                  [](auto& b) {
                    b.mutable_operators(1)->set_ed25519_public_key(b.operators(0).ed25519_public_key());
                  }},
        BadBundle{"stands twice",
                  [](auto& b) {
                    b.mutable_operators(1)->add_roles(Role::ROLE_UNLOCK);
                    b.mutable_operators(1)->set_unlock_public_key(b.operators(0).unlock_public_key());
                  }},
        BadBundle{"unlock_public_key: 31 bytes",
                  [](auto& b) { b.mutable_operators(0)->set_unlock_public_key(std::string(31, 'u')); }},
        BadBundle{"without the role unlock",
                  [](auto& b) { b.mutable_operators(1)->set_unlock_public_key(std::string(32, 'v')); }},
        BadBundle{"role 99", [](auto& b) { b.mutable_operators(0)->add_roles(static_cast<Role::Role>(99)); }},
        BadBundle{"3 must sign, but only 2", [](auto& b) { b.mutable_thresholds(0)->set_signatures(3); }},
        BadBundle{"17 is not 1 to 16", [](auto& b) { b.mutable_thresholds(0)->set_signatures(17); }},
        BadBundle{"class stands twice", [](auto& b) { *b.add_thresholds() = b.thresholds(0); }},
        BadBundle{"audit_log_public_key: 33 bytes",
                  [](auto& b) { b.set_audit_log_public_key(std::string(33, 'a')); }}));

INSTANTIATE_TEST_SUITE_P(
    Lifelines, TrustBundleField,
    ::testing::Values(BadBundle{"lifelines: site", [](auto& b) { Line(b).set_site("Leeds!"); }},
                      BadBundle{"leeds: level", [](auto& b) { Line(b).set_level(v1::LEVEL_DARK); }},
                      BadBundle{"leeds: level", [](auto& b) { Line(b).clear_level(); }},
                      BadBundle{"hosts: 0 is not", [](auto& b) { Line(b).set_hosts(0); }},
                      BadBundle{"hosts: 101 is not", [](auto& b) { Line(b).set_hosts(101); }},
                      BadBundle{"host_ids: 1, must be 2", [](auto& b) { Line(b).set_hosts(2); }},
                      BadBundle{"host_ids: an entry", [](auto& b) { Line(b).set_host_ids(0, "x"); }},
                      BadBundle{"stands twice", [](auto& b) { Line(b).add_host_ids(Line(b).host_ids(0)); }},
                      BadBundle{"host_ids: 1001",
                                [](auto& b) {
                                  for (int i = 0; i < 1'000; ++i) Line(b).add_host_ids(NewUuid());
                                }},
                      BadBundle{"signatures: 1 is not", [](auto& b) { Line(b).set_signatures(1); }},
                      BadBundle{"signatures: 17 is not", [](auto& b) { Line(b).set_signatures(17); }},
                      BadBundle{"leeds: stands twice",
                                [](auto& b) { *b.add_lifelines() = b.lifelines(0); }}));

INSTANTIATE_TEST_SUITE_P(
    Authorities, TrustBundleField,
    ::testing::Values(
        BadBundle{"ca_pem: not a CA certificate", [](auto& b) { b.set_ca_pem(0, "-----BEGIN"); }},
        BadBundle{"ca_pem: the certificate is not one of a CA",
                  [](auto& b) {
                    b.set_ca_pem(0, Fleet().Issue(IdentityKind::kController, NewUuid()).certificate_pem);
                  }},
        BadBundle{"ca_pem: more than one",
                  [](auto& b) { b.set_ca_pem(0, Fleet().CaPem() + Fleet().CaPem()); }},
        BadBundle{"ca_pem: longer than",
                  [](auto& b) { b.set_ca_pem(0, Fleet().CaPem() + std::string(kMaxAuthorityBytes, '\n')); }},
        BadBundle{"ca_pem: 5 certificates", [](auto& b) {
                    for (int i = 0; i < 4; ++i) b.add_ca_pem(Fleet().CaPem());
                  }}));

uint32_t Default(const v1::TrustBundle& bundle, v1::Threshold::ActionClass action_class) {
  for (const v1::Threshold& threshold : DefaultThresholds(bundle.operators())) {
    if (threshold.action_class() == action_class) return threshold.signatures();
  }
  return 0;
}

TEST(DefaultThresholds, AUT3_AskForTwoAsSoonAsThereAreTwo) {
  const TestOperator alex;
  const TestOperator sam;
  const std::vector<Role::Role> all = {Role::ROLE_ISOLATE, Role::ROLE_SCAN, Role::ROLE_POLICY,
                                       Role::ROLE_TRUST};
  v1::TrustBundle bundle = testing::EmptyBundle(NewUuid());
  Trust(alex, all, &bundle);
  EXPECT_EQ(Default(bundle, v1::Threshold::ACTION_CLASS_ISOLATE_HARD), 1U);
  EXPECT_EQ(Default(bundle, v1::Threshold::ACTION_CLASS_TRUST), 1U);
  Trust(sam, all, &bundle);
  for (const auto two : {v1::Threshold::ACTION_CLASS_ISOLATE_HARD, v1::Threshold::ACTION_CLASS_WHOLE_GROUP,
                         v1::Threshold::ACTION_CLASS_TRUST}) {
    EXPECT_EQ(Default(bundle, two), 2U) << two;
  }
  for (const auto one : {v1::Threshold::ACTION_CLASS_ISOLATE, v1::Threshold::ACTION_CLASS_SCAN,
                         v1::Threshold::ACTION_CLASS_POLICY}) {
    EXPECT_EQ(Default(bundle, one), 1U) << one;
  }
  for (const v1::Threshold& threshold : DefaultThresholds(bundle.operators())) {
    *bundle.add_thresholds() = threshold;
  }
  EXPECT_THAT(CheckTrustBundle(bundle), IsOk());
}

TEST(DefaultThresholds, AUT3_CanAlwaysBeReachedByTheRolesThereAre) {
  const TestOperator alex;
  const TestOperator sam;
  v1::TrustBundle bundle = testing::EmptyBundle(NewUuid());
  Trust(alex, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &bundle);
  Trust(sam, {Role::ROLE_ISOLATE}, &bundle);
  EXPECT_EQ(Default(bundle, v1::Threshold::ACTION_CLASS_TRUST), 1U);
  EXPECT_EQ(Default(bundle, v1::Threshold::ACTION_CLASS_SCAN), 0U);
  for (const v1::Threshold& threshold : DefaultThresholds(bundle.operators())) {
    *bundle.add_thresholds() = threshold;
  }
  EXPECT_THAT(CheckTrustBundle(bundle), IsOk());
}

}  // namespace
}  // namespace cordon
