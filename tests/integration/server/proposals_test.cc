// Two people for dangerous orders, over the wire (AUT-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using Class = v1::Threshold;
using Role = v1::TrustedOperator;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

// Alex, the fleet's own, and blake; both must sign for dark. Casey has a key, and is not trusted yet.
struct Fixture {
  TestOperator blake;
  TestOperator casey;
  ServerBox box{{}, [this](v1::TrustBundle& bundle) {
                  Trust(blake, {Role::ROLE_ISOLATE}, &bundle);
                  SetThreshold(Class::ACTION_CLASS_ISOLATE_HARD, 2, &bundle);
                }};
  TestHost host = box.AddHost();
  std::unique_ptr<v1::Operator::Stub> by_blake = box.OperatorStub(box.OperatorTls(blake.id));

  v1::Order Dark() const {
    v1::Order order = box.IsolateHosts({host.id});
    order.mutable_isolate()->set_level(v1::LEVEL_DARK);
    return order;
  }
  v1::SubmitOrderResponse Propose(const v1::Order& order) {
    v1::SubmitOrderResponse response;
    Must(box.Submit(box.Signed(order), &response));
    return response;
  }
  absl::StatusOr<v1::ApproveOrderResponse> Approve(const std::string& order_id,
                                                   const v1::Signature& signature) {
    v1::ApproveOrderRequest request;
    request.set_order_id(order_id);
    *request.mutable_signature() = signature;
    v1::ApproveOrderResponse response;
    const absl::Status status =
        Call([&](auto* context) { return by_blake->ApproveOrder(context, request, &response); });
    if (!status.ok()) return status;
    return response;
  }
  absl::StatusOr<v1::ApproveOrderResponse> Approve(const v1::Order& order) {
    return Approve(order.order_id(), Must(SignOrder(order.SerializeAsString(), blake.id, *blake.key)));
  }
  static absl::Status Withdraw(v1::Operator::Stub& stub, const std::string& order_id,
                               const std::string& reason) {
    v1::WithdrawOrderRequest request;
    request.set_order_id(order_id);
    request.set_reason(reason);
    v1::WithdrawOrderResponse response;
    return Call([&](auto* context) { return stub.WithdrawOrder(context, request, &response); });
  }
  v1::GetOrderResponse Get(const std::string& order_id) {
    v1::GetOrderRequest request;
    request.set_order_id(order_id);
    v1::GetOrderResponse response;
    Must(Call([&](auto* context) { return box.Operator().GetOrder(context, request, &response); }));
    return response;
  }
  // A change of trust, signed by alex.
  v1::Order Change(uint64_t version, const std::function<void(v1::TrustBundle&)>& change) {
    v1::TrustBundle bundle;
    bundle.ParseFromString(Must(box.Store().GetFleet()).trust_bundle.bundle());
    bundle.set_version(version);
    change(bundle);
    v1::Order order = BasicOrder(box.Fleet().FleetId());
    order.clear_target();
    order.mutable_target()->set_all(true);
    order.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
    return order;
  }
};

TEST(ServerProposals, AUT3_GoToTheHostWithTheSecondSignature) {
  Fixture f;
  const auto control = f.host.Control();
  control->Send(HelloOf("reception-1"));
  ASSERT_TRUE(control->Read().has_value());
  const v1::Order order = f.Dark();
  const v1::SubmitOrderResponse proposed = f.Propose(order);
  EXPECT_EQ(proposed.hosts(), 1U);
  EXPECT_EQ(proposed.signatures(), 1U);
  EXPECT_EQ(proposed.signatures_needed(), 2U);
  EXPECT_EQ(f.Get(order.order_id()).summary().proposal(), v1::PROPOSAL_STATE_OPEN);
  EXPECT_THAT(f.Get(order.order_id()).outcomes(), SizeIs(0));
  v1::WatchOrderRequest watch;
  watch.set_order_id(order.order_id());
  EXPECT_THAT(ReadClient<v1::WatchOrderResponse>([&](auto* c) {
                return f.box.Operator().WatchOrder(c, watch);
              }).End(),
              Fails(kPrecondition, "lacks signatures"));

  // What comes next on the stream is this order: the proposal was not sent.
  v1::SubmitOrderResponse released;
  v1::Order release = f.box.IsolateHosts({f.host.id});
  release.mutable_release();
  release.set_sequence(order.sequence() - 1);
  ASSERT_THAT(f.box.Submit(f.box.Signed(release), &released), IsOk());
  const auto first = control->Read();
  ASSERT_TRUE(first.has_value() && first->has_order());
  EXPECT_EQ(first->order().order(), release.SerializeAsString());

  const v1::ApproveOrderResponse approved = Must(f.Approve(order));
  EXPECT_EQ(approved.hosts(), 1U);
  EXPECT_EQ(approved.signatures(), 2U);
  const auto second = control->Read();
  ASSERT_TRUE(second.has_value() && second->has_order());
  EXPECT_EQ(second->order().order(), order.SerializeAsString());
  EXPECT_THAT(second->order().signatures(), SizeIs(2));
  EXPECT_EQ(f.Get(order.order_id()).summary().proposal(), v1::PROPOSAL_STATE_COMPLETED);
  EXPECT_THAT(f.Get(order.order_id()).outcomes(), SizeIs(1));
  EXPECT_THAT(f.Approve(order), Fails(kPrecondition, "no proposal any more"));
}

TEST(ServerProposals, AUT3_TheSameOperatorTwiceIsRefused) {
  Fixture f;
  const v1::Order order = f.Dark();
  const v1::SignedOrder by_alex = f.box.Signed(order);
  f.Propose(order);
  EXPECT_THAT(f.Approve(order.order_id(), by_alex.signatures(0)),
              Fails(absl::StatusCode::kAlreadyExists, "signed this order already"));
  const v1::Signature strange = Must(SignOrder(order.SerializeAsString(), f.casey.id, *f.casey.key));
  EXPECT_THAT(f.Approve(order.order_id(), strange), Fails(kDenied, "not in the trust bundle"));
  EXPECT_EQ(f.Get(order.order_id()).summary().proposal(), v1::PROPOSAL_STATE_OPEN);
}

TEST(ServerProposals, AUT6_WhatIsOutOfBoundsIsRefused) {
  Fixture f;
  const v1::Order order = f.Dark();
  f.Propose(order);
  v1::Signature good = Must(SignOrder(order.SerializeAsString(), f.blake.id, *f.blake.key));
  EXPECT_THAT(f.Approve("x", good), Fails(kInvalid, "order_id"));
  EXPECT_THAT(f.Approve(NewUuid(), good), Fails(absl::StatusCode::kNotFound, "no order"));
  v1::Signature bad = good;
  bad.mutable_ed25519()->pop_back();
  EXPECT_THAT(f.Approve(order.order_id(), bad), Fails(kInvalid, "64 bytes"));
  bad = good;
  bad.set_operator_id("blake");
  EXPECT_THAT(f.Approve(order.order_id(), bad), Fails(kInvalid, "operator_id"));
  EXPECT_THAT(Fixture::Withdraw(*f.by_blake, "x", "why"), Fails(kInvalid, "order_id"));
  EXPECT_THAT(Fixture::Withdraw(*f.by_blake, order.order_id(), ""), Fails(kInvalid, "reason"));
  EXPECT_THAT(Fixture::Withdraw(*f.by_blake, order.order_id(), std::string(1'001, 'x')),
              Fails(kInvalid, "reason"));
  EXPECT_THAT(f.Approve(order.order_id(), good), IsOk()) << "the positive control";
}

TEST(ServerProposals, AUT3_WhoMaySignOneMayWithdrawItAndTheLogSaysWhoAndWhy) {
  Fixture f;
  const v1::Order order = f.Dark();
  f.Propose(order);
  EXPECT_THAT(Fixture::Withdraw(*f.box.OperatorStub(f.box.OperatorTls(f.casey.id)), order.order_id(), "no"),
              Fails(kDenied, "not in the trust bundle"));
  ASSERT_THAT(Fixture::Withdraw(*f.by_blake, order.order_id(), "a false\nalarm"), IsOk());
  const v1::AuditEntry last = f.box.Audit().back();
  EXPECT_EQ(last.action(), "order.withdraw");
  EXPECT_EQ(last.actor(), "operator/" + f.blake.id);
  EXPECT_EQ(last.subject(), order.order_id());
  EXPECT_THAT(last.detail(), HasSubstr("a false"));
  EXPECT_THAT(f.Approve(order), Fails(kPrecondition, "withdrawn"));
  EXPECT_THAT(Fixture::Withdraw(*f.by_blake, order.order_id(), "again"), Fails(kPrecondition, "withdrawn"));
  v1::SubmitOrderResponse again;
  EXPECT_THAT(f.box.Submit(f.box.Signed(order), &again), Fails(kPrecondition, "withdrawn"));
}

TEST(ServerProposals, AUT3_AHostsCertificateMayNotApprove) {
  Fixture f;
  const v1::Order order = f.Dark();
  f.Propose(order);
  f.by_blake = f.box.OperatorStub(f.host.tls);
  EXPECT_THAT(f.Approve(order), Fails(kDenied, "a host certificate may not call"));
  EXPECT_THAT(Fixture::Withdraw(*f.by_blake, order.order_id(), "no"), Fails(kDenied, "may not call"));
}

TEST(ServerTrust, AUT3_AChangeIsInForceAtOnceAndIsInTheHistory) {
  Fixture f;
  const v1::Order change = f.Change(2, [&](auto& bundle) { Trust(f.casey, {Role::ROLE_ISOLATE}, &bundle); });
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(f.box.Submit(f.box.Signed(change), &submitted), IsOk());
  EXPECT_EQ(submitted.signatures_needed(), 1U);
  v1::GetFleetResponse fleet;
  Must(Call([&](auto* c) { return f.box.Operator().GetFleet(c, v1::GetFleetRequest(), &fleet); }));
  EXPECT_EQ(fleet.trust_bundle().bundle(), change.trust().bundle().bundle());
  v1::GetTrustHistoryRequest request;
  request.set_after_version(1);
  v1::GetTrustHistoryResponse history;
  Must(Call([&](auto* c) { return f.box.Operator().GetTrustHistory(c, request, &history); }));
  ASSERT_THAT(history.orders(), SizeIs(1));
  EXPECT_EQ(history.orders(0).order(), change.SerializeAsString());
  // The new operator's signature counts from now on.
  const v1::Order order = f.Dark();
  f.Propose(order);
  const v1::Signature by_casey = Must(SignOrder(order.SerializeAsString(), f.casey.id, *f.casey.key));
  EXPECT_EQ(Must(f.Approve(order.order_id(), by_casey)).signatures(), 2U);
}

TEST(ServerTrust, AUT3_WhoIsNotInTheBundleInForceLooksAndChangesNothing) {
  Fixture f;
  const auto by_casey = f.box.OperatorStub(f.box.OperatorTls(f.casey.id));
  v1::RevokeHostRequest revoke;
  revoke.set_host_id(f.host.id);
  revoke.set_reason("no");
  v1::RevokeHostResponse revoked;
  EXPECT_THAT(Call([&](auto* c) { return by_casey->RevokeHost(c, revoke, &revoked); }),
              Fails(kDenied, "may look"));
  v1::CreateEnrollmentRequest create;
  create.set_site("leeds");
  create.set_uses(1);
  create.set_length_nanos(TestFleet::kHour);
  v1::CreateEnrollmentResponse created;
  EXPECT_THAT(Call([&](auto* c) { return by_casey->CreateEnrollment(c, create, &created); }),
              Fails(kDenied, "may look"));
  v1::ListHostsResponse listed;
  EXPECT_THAT(Call([&](auto* c) { return by_casey->ListHosts(c, v1::ListHostsRequest(), &listed); }), IsOk());
  EXPECT_THAT(Call([&](auto* c) { return f.by_blake->RevokeHost(c, revoke, &revoked); }), IsOk());
}

// A certificate without a signature does what its operator's roles allow.
TEST(ServerTrust, AUT3_WhoLacksTheRoleRevokesNothingAndEnrolsNobody) {
  TestOperator watcher;
  ServerBox box{{}, [&](v1::TrustBundle& bundle) {
                  Trust(watcher, {Role::ROLE_SCAN}, &bundle);
                  SetThreshold(Class::ACTION_CLASS_ISOLATE_HARD, 2, &bundle);
                  TestOperator second;
                  Trust(second, {Role::ROLE_ISOLATE}, &bundle);
                }};
  const TestHost host = box.AddHost();
  const auto by_watcher = box.OperatorStub(box.OperatorTls(watcher.id));
  v1::RevokeHostRequest revoke;
  revoke.set_host_id(host.id);
  revoke.set_reason("no");
  v1::RevokeHostResponse revoked;
  EXPECT_THAT(Call([&](auto* c) { return by_watcher->RevokeHost(c, revoke, &revoked); }),
              Fails(kDenied, "lacks the role isolate"));
  v1::CreateEnrollmentRequest create;
  create.set_site("leeds");
  create.set_uses(1);
  create.set_length_nanos(TestFleet::kHour);
  v1::CreateEnrollmentResponse created;
  EXPECT_THAT(Call([&](auto* c) { return by_watcher->CreateEnrollment(c, create, &created); }),
              Fails(kDenied, "lacks the role trust"));
  v1::RevokeEnrollmentRequest end;
  end.set_enrollment_id(box.MakeEnrollment().enrollment_id());
  v1::RevokeEnrollmentResponse ended;
  EXPECT_THAT(Call([&](auto* c) { return by_watcher->RevokeEnrollment(c, end, &ended); }),
              Fails(kDenied, "lacks the role trust"));
  v1::Order dark = box.IsolateHosts({host.id});
  dark.mutable_isolate()->set_level(v1::LEVEL_DARK);
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(dark), &submitted), IsOk());
  EXPECT_THAT(Fixture::Withdraw(*by_watcher, dark.order_id(), "no"),
              Fails(kDenied, "lacks the role isolate"));
  // The positive control: who has them.
  EXPECT_THAT(Fixture::Withdraw(box.Operator(), dark.order_id(), "a drill"), IsOk());
  EXPECT_THAT(Call([&](auto* c) { return box.Operator().RevokeEnrollment(c, end, &ended); }), IsOk());
  EXPECT_THAT(Call([&](auto* c) { return box.Operator().RevokeHost(c, revoke, &revoked); }), IsOk());
}

TEST(ServerTrust, AUT3_AChangeForSomeHostsIsRefused) {
  Fixture f;
  v1::Order change = f.Change(2, [](auto&) {});
  change.clear_target();
  change.mutable_target()->add_sites("leeds");
  v1::SubmitOrderResponse submitted;
  EXPECT_THAT(f.box.Submit(f.box.Signed(change), &submitted), Fails(kInvalid, "for all hosts"));
}

TEST(ServerTrust, AUT1_AnEnrolmentFileStaysGoodThroughAChange) {
  Fixture f;
  const v1::EnrollmentFile file = f.box.MakeEnrollment();
  const v1::Order change = f.Change(2, [&](auto& bundle) { Trust(f.casey, {Role::ROLE_ISOLATE}, &bundle); });
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(f.box.Submit(f.box.Signed(change), &submitted), IsOk());
  const KeyPtr key = Must(NewTlsKey());
  v1::EnrollResponse enrolled;
  const auto stub = f.box.Gateway(f.box.BootstrapTls(file));
  const v1::EnrollRequest request = ServerBox::EnrollRequestFor(file, *key);
  Must(Call([&](auto* context) { return stub->Enroll(context, request, &enrolled); }));
  v1::TrustBundle pinned;
  pinned.ParseFromString(enrolled.trust_bundle().bundle());
  EXPECT_EQ(pinned.version(), 1U) << "what the file pins";
  const std::vector<controller::OrderRecord> due = Must(f.box.Store().OrdersFor(enrolled.host_id(), {}));
  ASSERT_THAT(due, SizeIs(1)) << "and what changed since";
  EXPECT_EQ(due[0].order_id, change.order_id());
}

}  // namespace
}  // namespace cordon::testing
