// A site keeps some hosts that one person alone cannot close, however the orders are cut up (AUT-3).

#include "common/wire/lifeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/trust.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_orders.h"

namespace cordon {
namespace {

using testing::Fails;
using testing::IsOk;
using testing::IsolateOrder;
using testing::SignedBy;
using testing::TestOperator;
using testing::Trust;
using Role = v1::TrustedOperator;

class Lifelines : public ::testing::Test {
 protected:
  Lifelines() {
    for (const TestOperator* person : {&alex_, &sam_, &kim_})
      Trust(*person, {Role::ROLE_ISOLATE, Role::ROLE_POLICY}, &bundle_);
    v1::Lifeline* line = bundle_.add_lifelines();
    line->set_site("leeds");
    line->set_level(v1::LEVEL_ESSENTIAL);
    line->set_hosts(2);
    line->set_signatures(2);
    for (const HostTraits& host : hosts_) line->add_host_ids(host.host_id);
  }

  // As the agent of `host` judges it, which sees nothing but the order and itself.
  absl::Status Verdict(const HostTraits& host, v1::Level level,
                       const std::vector<const TestOperator*>& people) const {
    v1::Order order = IsolateOrder(bundle_.fleet_id(), level);
    order.mutable_target()->mutable_hosts(0)->set_host_id(host.host_id);
    return VerdictOf(order, host, people);
  }
  absl::Status VerdictOf(const v1::Order& order, const HostTraits& host,
                         const std::vector<const TestOperator*>& people) const {
    const v1::SignedOrder signed_order = SignedBy(order, people);
    const absl::StatusOr<v1::Order> verified = VerifyOrder(signed_order, bundle_);
    return verified.ok() ? CheckLifeline(*verified, signed_order, bundle_, host) : verified.status();
  }

  const TestOperator alex_, sam_, kim_;
  v1::TrustBundle bundle_ = testing::EmptyBundle(NewUuid());
  const std::vector<HostTraits> hosts_ = {{NewUuid(), "server", "leeds", {}},
                                          {NewUuid(), "reception-1", "leeds", {}},
                                          {NewUuid(), "reception-2", "leeds", {}}};
};

TEST_F(Lifelines, AUT3_AreNotClosedByOneOperatorOneHostAfterAnother) {
  const auto refused =
      Fails(absl::StatusCode::kPermissionDenied,
            "this host is a lifeline of site leeds: above essential it goes only when 2 operators");
  EXPECT_THAT(Verdict(hosts_[0], v1::LEVEL_DARK, {&alex_}), refused);
  EXPECT_THAT(Verdict(hosts_[1], v1::LEVEL_DARK, {&alex_}), refused);
  EXPECT_THAT(Verdict(hosts_[1], v1::LEVEL_CONTROLLER_ONLY, {&alex_, &alex_}), refused);
  EXPECT_THAT(Verdict(hosts_[2], v1::LEVEL_DARK, {&alex_}), IsOk()) << "behind the first two of the roster";
}

TEST_F(Lifelines, AUT3_AreClosedByEnoughOperatorsAndUpToTheirLevelByOne) {
  EXPECT_THAT(Verdict(hosts_[0], v1::LEVEL_ESSENTIAL, {&alex_}), IsOk());
  EXPECT_THAT(Verdict(hosts_[0], v1::LEVEL_DARK, {&alex_, &sam_}), IsOk());
  bundle_.mutable_lifelines(0)->set_signatures(3);
  EXPECT_THAT(Verdict(hosts_[0], v1::LEVEL_DARK, {&alex_, &sam_}),
              Fails(absl::StatusCode::kPermissionDenied, "when 3 operators sign, 2 did"));
  EXPECT_THAT(Verdict(hosts_[0], v1::LEVEL_DARK, {&alex_, &sam_, &kim_}), IsOk());
}

// A tripwire at one file and no profile close a host as surely as an order does.
TEST_F(Lifelines, AUT3_AreNotClosedByAPolicyOfOneOperatorEither) {
  v1::Order order = testing::BasicOrder(bundle_.fleet_id());
  v1::Tripwires& tripwires = *order.mutable_policy()->mutable_policy()->mutable_tripwires();
  tripwires.set_files(1);
  EXPECT_THAT(VerdictOf(order, hosts_[0], {&alex_}), IsOk()) << "it only tells";
  tripwires.mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
  tripwires.mutable_isolate()->mutable_lease()->mutable_length()->set_seconds(3'600);
  EXPECT_THAT(VerdictOf(order, hosts_[0], {&alex_}), IsOk()) << "not above the lifeline's level";
  bundle_.mutable_lifelines(0)->set_level(v1::LEVEL_NO_LATERAL);
  EXPECT_THAT(VerdictOf(order, hosts_[0], {&alex_}),
              Fails(absl::StatusCode::kPermissionDenied, "this host is a lifeline of site leeds"));
  EXPECT_THAT(VerdictOf(order, hosts_[2], {&alex_}), IsOk()) << "no lifeline";
  EXPECT_THAT(VerdictOf(order, hosts_[0], {&alex_, &sam_}), IsOk());
}

TEST_F(Lifelines, AUT3_HoldOnlyTheHostsOfTheirSite) {
  HostTraits elsewhere = hosts_[0];
  elsewhere.site = "york";
  EXPECT_EQ(FindLifeline(bundle_, elsewhere), nullptr);
  EXPECT_THAT(Verdict(elsewhere, v1::LEVEL_DARK, {&alex_}), IsOk());
}

TEST_F(Lifelines, AUT3_LetEveryHostBeReleasedByOne) {
  v1::Order order = testing::BasicOrder(bundle_.fleet_id());
  order.mutable_release();
  const v1::SignedOrder signed_order = SignedBy(order, {&alex_});
  EXPECT_THAT(CheckLifeline(order, signed_order, bundle_, hosts_[0]), IsOk());
}

}  // namespace
}  // namespace cordon
