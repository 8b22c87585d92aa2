// Orders that wait for signatures (AUT-3), and the trust bundle that says how many.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/sqlite/database.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::Must;
using testing::Note;
using testing::SignedBy;
using ::testing::SizeIs;
using testing::StoreBox;
using testing::TestOperator;
using v1::OrderOutcome;
using Class = v1::Threshold;
using Role = v1::TrustedOperator;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
const std::vector<Role::Role> kRoles = {Role::ROLE_ISOLATE, Role::ROLE_TRUST};

// A fleet of three operators (alex is the fleet's own), two of whom must sign for dark and for trust.
struct Fixture {
  TestOperator blake;
  TestOperator casey;
  TestOperator watcher;
  StoreBox box{[this](v1::TrustBundle& bundle) { Complete(&bundle); }};
  std::string host = box.AddHost("a");

  void Complete(v1::TrustBundle* bundle) const {
    Trust(blake, kRoles, bundle);
    Trust(casey, kRoles, bundle);
    Trust(watcher, {Role::ROLE_SCAN}, bundle);
    testing::SetThreshold(Class::ACTION_CLASS_ISOLATE_HARD, 2, bundle);
    testing::SetThreshold(Class::ACTION_CLASS_TRUST, 2, bundle);
  }
  v1::TrustBundle InForce() {
    v1::TrustBundle bundle;
    bundle.ParseFromString(Must(box->GetFleet()).trust_bundle.bundle());
    return bundle;
  }
  v1::Order Dark(uint64_t sequence = 10) const {
    v1::Order order = box.Isolate({host}, sequence);
    order.mutable_isolate()->set_level(v1::LEVEL_DARK);
    return order;
  }
  v1::Order Change(const v1::TrustBundle& bundle, uint64_t sequence) const {
    v1::Order order = box.Isolate({}, sequence);
    order.mutable_target()->set_all(true);
    order.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
    return order;
  }
  static v1::Signature By(const TestOperator& person, const v1::Order& order) {
    return Must(SignOrder(order.SerializeAsString(), person.id, *person.key));
  }
  absl::StatusOr<SubmittedOrder> Approve(const v1::Order& order, const TestOperator& person) {
    return box->ApproveOrder(order.order_id(), By(person, order), Note("order.approve", order.order_id()));
  }
  // `next`, and that closing `host` takes three signatures.
  void PutInForceWithALifeline(v1::TrustBundle next) {
    v1::Lifeline& line = *next.add_lifelines();
    line.set_site("leeds");
    line.set_level(v1::LEVEL_NO_LATERAL);
    line.set_hosts(1);
    line.add_host_ids(host);
    line.set_signatures(3);
    const v1::Order change = Change(next, 1);
    ASSERT_THAT(box.Submit(change), IsOk());
    ASSERT_THAT(Approve(change, blake), IsOk());
  }
  absl::Status Withdraw(const v1::Order& order) {
    return box->WithdrawOrder(order.order_id(), Note("order.withdraw", order.order_id()));
  }
  OrderRecord Stored(const v1::Order& order) { return Must(box->GetOrder(order.order_id())); }
  std::vector<OrderRecord> Due() { return Must(box->OrdersFor(host, {})); }
  std::vector<std::string> Actions() {
    std::vector<std::string> actions;
    for (const v1::AuditEntry& entry : box.Audit()) actions.push_back(entry.action());
    return actions;
  }
};

TEST(Proposals, AUT3_GoToNobodyBeforeTheLastSignature) {
  Fixture f;
  const v1::Order order = f.Dark();
  const SubmittedOrder proposed = Must(f.box.Submit(order));
  EXPECT_EQ(proposed.proposal, v1::PROPOSAL_STATE_OPEN);
  EXPECT_EQ(proposed.signatures, 1U);
  EXPECT_EQ(proposed.signatures_needed, 2U);
  EXPECT_THAT(proposed.host_ids, ElementsAre(f.host)) << "whom it would hit";
  EXPECT_THAT(f.Due(), IsEmpty());
  EXPECT_THAT(Must(f.box->OutcomesOf(order.order_id())), IsEmpty());
  EXPECT_THAT(Must(f.box->ListOrders(1, "")).orders[0].proposal(), v1::PROPOSAL_STATE_OPEN);
  const std::string late = f.box.AddHost("late");

  const SubmittedOrder approved = Must(f.Approve(order, f.blake));
  EXPECT_EQ(approved.proposal, v1::PROPOSAL_STATE_COMPLETED);
  EXPECT_EQ(approved.signatures, 2U);
  EXPECT_THAT(approved.host_ids, ElementsAre(f.host));
  ASSERT_THAT(f.Due(), SizeIs(1));
  EXPECT_EQ(f.Due()[0].signed_order.order(), order.SerializeAsString());
  EXPECT_THAT(f.Due()[0].signed_order.signatures(), SizeIs(2));
  EXPECT_EQ(f.box.OutcomeOn(order.order_id(), f.host).state(), OrderOutcome::STATE_PENDING);
  EXPECT_THAT(VerifyOrder(f.Due()[0].signed_order, f.InForce()), IsOk()) << "as the host judges";
  const std::vector<std::string> actions = f.Actions();
  EXPECT_THAT(std::vector(actions.end() - 2, actions.end()), ElementsAre("order.approve", "order.complete"));
  EXPECT_THAT(f.box.Audit().back().detail(), HasSubstr("operator/" + f.blake.id));
}

TEST(Proposals, AUT3_AnOrderThatNeedsOneIsNone) {
  Fixture f;
  const SubmittedOrder submitted = Must(f.box.Submit(f.box.Isolate({f.host}, 10)));
  EXPECT_EQ(submitted.proposal, v1::PROPOSAL_STATE_UNSPECIFIED);
  EXPECT_EQ(submitted.signatures_needed, 1U);
  EXPECT_THAT(f.Due(), SizeIs(1));
}

TEST(Proposals, AUT3_OneOperatorSignsOnce) {
  Fixture f;
  const v1::Order order = f.Dark();
  ASSERT_THAT(f.box.Submit(order), IsOk());
  const v1::Signature again =
      Must(SignOrder(order.SerializeAsString(), f.box.Fleet().OperatorId(), f.box.Fleet().OperatorKey()));
  EXPECT_THAT(f.box->ApproveOrder(order.order_id(), again, Note()),
              Fails(absl::StatusCode::kAlreadyExists, f.box.Fleet().OperatorId()));
  v1::SignedOrder twice = f.box.Signed(f.Dark(11));
  v1::Order other;
  other.ParseFromString(twice.order());
  *twice.add_signatures() = twice.signatures(0);
  EXPECT_EQ(Must(f.box.Submit(other, twice)).proposal, v1::PROPOSAL_STATE_OPEN);
  EXPECT_THAT(f.Due(), IsEmpty());
}

TEST(Proposals, AUT3_ASignatureThatDoesNotCountIsRefusedAndChangesNothing) {
  Fixture f;
  const v1::Order order = f.Dark();
  ASSERT_THAT(f.box.Submit(order), IsOk());
  const size_t audit = f.box.Audit().size();
  const TestOperator stranger;
  EXPECT_THAT(f.Approve(order, stranger), Fails(kDenied, "not in the trust bundle"));
  EXPECT_THAT(f.Approve(order, f.watcher), Fails(kDenied, "lacks the role"));
  v1::Signature of_another = Fixture::By(f.blake, f.Dark(11));
  EXPECT_THAT(f.box->ApproveOrder(order.order_id(), of_another, Note()), Fails(kDenied, "these bytes"));
  v1::Signature stolen = Fixture::By(f.blake, order);
  stolen.set_operator_id(f.casey.id);
  EXPECT_THAT(f.box->ApproveOrder(order.order_id(), stolen, Note()), Fails(kDenied, "these bytes"));
  EXPECT_THAT(f.box->ApproveOrder(NewUuid(), of_another, Note()),
              Fails(absl::StatusCode::kNotFound, "no order"));
  EXPECT_EQ(f.box.Audit().size(), audit);
  EXPECT_THAT(f.Stored(order).signed_order.signatures(), SizeIs(1));
  EXPECT_THAT(f.Approve(order, f.blake), IsOk()) << "the positive control";
}

TEST(Proposals, AUT3_NobodyProposesWithoutASignatureThatCounts) {
  Fixture f;
  const v1::Order order = f.Dark();
  const TestOperator stranger;
  EXPECT_THAT(f.box.Submit(order, SignedBy(order, {})), Fails(kDenied, "not signed"));
  EXPECT_THAT(f.box.Submit(order, SignedBy(order, {&stranger, &f.watcher})),
              Fails(kDenied, "lacks the role"));
  EXPECT_THAT(Must(f.box->ListOrders(10, "")).orders, IsEmpty());
}

TEST(Proposals, AUT3_WithdrawnOnesAreOver) {
  Fixture f;
  const v1::Order order = f.Dark();
  ASSERT_THAT(f.box.Submit(order), IsOk());
  ASSERT_THAT(f.Withdraw(order), IsOk());
  EXPECT_EQ(f.Actions().back(), "order.withdraw");
  EXPECT_THAT(f.Approve(order, f.blake), Fails(kPrecondition, "was withdrawn"));
  EXPECT_THAT(f.Withdraw(order), Fails(kPrecondition, "was withdrawn"));
  EXPECT_THAT(f.box.Submit(order), Fails(kPrecondition, "was withdrawn"));
  EXPECT_THAT(f.Due(), IsEmpty());
  const v1::Order whole = f.box.Isolate({f.host}, 11);
  ASSERT_THAT(f.box.Submit(whole), IsOk());
  EXPECT_THAT(f.Withdraw(whole), Fails(kPrecondition, "went to its hosts"));
  EXPECT_THAT(f.Approve(whole, f.blake), Fails(kPrecondition, "went to its hosts"));
}

TEST(Proposals, AUT3_ExpireWithTheirOrder) {
  Fixture f;
  const v1::Order order = f.Dark();
  ASSERT_THAT(f.box.Submit(order), IsOk());
  f.box.Time().Advance(testing::TestFleet::kHour);
  EXPECT_THAT(f.Approve(order, f.blake), Fails(kPrecondition, "expired")) << "before anybody swept";
  ASSERT_THAT(f.box->ExpireOrders(), IsOk());
  EXPECT_EQ(f.Stored(order).proposal, v1::PROPOSAL_STATE_EXPIRED);
  EXPECT_EQ(f.Actions().back(), "order.expired");
  EXPECT_THAT(f.box.Audit().back().detail(), HasSubstr(f.box.Fleet().OperatorId()));
  const size_t audit = f.box.Audit().size();
  ASSERT_THAT(f.box->ExpireOrders(), IsOk());
  EXPECT_EQ(f.box.Audit().size(), audit) << "once";
  EXPECT_THAT(f.Approve(order, f.blake), Fails(kPrecondition, "expired"));
}

TEST(Proposals, AUT3_OutliveARestart) {
  Fixture f;
  const v1::Order order = f.Dark();
  ASSERT_THAT(f.box.Submit(order), IsOk());
  f.box.Crash();
  f.box.Start();
  EXPECT_EQ(f.Stored(order).proposal, v1::PROPOSAL_STATE_OPEN);
  EXPECT_EQ(Must(f.box.Submit(order)).signatures, 1U) << "a repeat says how it stands";
  ASSERT_THAT(f.Approve(order, f.blake), IsOk());
  f.box.Crash();
  f.box.Start();
  EXPECT_EQ(f.Stored(order).proposal, v1::PROPOSAL_STATE_COMPLETED);
  EXPECT_THAT(f.Due(), SizeIs(1));
}

TEST(Proposals, AUT3_AHostThatEnrolsTakesNoneThatIsOpen) {
  Fixture f;
  v1::Order order = f.Dark();
  order.clear_target();
  order.mutable_target()->add_sites("leeds");
  ASSERT_THAT(f.box.Submit(order), IsOk());
  const std::string late = f.box.AddHost("late");
  EXPECT_THAT(Must(f.box->OrdersFor(late, {})), IsEmpty());
  ASSERT_THAT(f.Approve(order, f.blake), IsOk());
  EXPECT_THAT(Must(f.box->OrdersFor(late, {})), SizeIs(1));
  const std::string later = f.box.AddHost("later");
  EXPECT_THAT(Must(f.box->OrdersFor(later, {})), SizeIs(1));
}

TEST(Proposals, ISO9_OneThatWasCompletedAfterANewerOrderDoesNothing) {
  Fixture f;
  const v1::Order order = f.Dark(10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  ASSERT_THAT(f.box.Submit(f.box.Isolate({f.host}, 11)), IsOk());
  EXPECT_THAT(Must(f.Approve(order, f.blake)).superseded, IsEmpty());
  EXPECT_EQ(f.box.OutcomeOn(order.order_id(), f.host).state(), OrderOutcome::STATE_SUPERSEDED);
  ASSERT_THAT(f.Due(), SizeIs(1));
  EXPECT_EQ(f.Due()[0].sequence, 11U);
}

TEST(Proposals, AUT3_ALifelineAmongItsHostsNeedsItsOwnNumber) {
  Fixture f;
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  ASSERT_NO_FATAL_FAILURE(f.PutInForceWithALifeline(next));
  const std::string other = f.box.AddHost("other");

  const v1::Order on_other = f.box.Isolate({other}, 10);
  EXPECT_EQ(Must(f.box.Submit(on_other)).proposal, v1::PROPOSAL_STATE_UNSPECIFIED);
  const v1::Order on_both = f.box.Isolate({f.host, other}, 11);
  EXPECT_EQ(Must(f.box.Submit(on_both)).signatures_needed, 3U);
  EXPECT_EQ(Must(f.Approve(on_both, f.blake)).proposal, v1::PROPOSAL_STATE_OPEN);
  EXPECT_EQ(Must(f.Approve(on_both, f.casey)).proposal, v1::PROPOSAL_STATE_COMPLETED);
  v1::Order low = f.box.Isolate({f.host}, 12);
  low.mutable_isolate()->set_level(v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(Must(f.box.Submit(low)).proposal, v1::PROPOSAL_STATE_UNSPECIFIED);
}

TEST(Proposals, AUT3_APolicyThatMayCloseALifelineNeedsItsNumberToo) {
  Fixture f;
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  for (v1::TrustedOperator& person : *next.mutable_operators())
    person.add_roles(v1::TrustedOperator::ROLE_POLICY);
  ASSERT_NO_FATAL_FAILURE(f.PutInForceWithALifeline(next));

  const auto policy = [&](uint64_t sequence, v1::Level level) {
    v1::Order order = f.box.Isolate({f.host}, sequence);
    v1::SelfIsolation& isolate =
        *order.mutable_policy()->mutable_policy()->mutable_tripwires()->mutable_isolate();
    isolate.set_level(level);
    isolate.mutable_lease()->mutable_length()->set_seconds(3'600);
    return order;
  };
  EXPECT_EQ(Must(f.box.Submit(policy(10, v1::LEVEL_ESSENTIAL))).signatures_needed, 3U);
  EXPECT_LT(Must(f.box.Submit(policy(11, v1::LEVEL_NO_LATERAL))).signatures_needed, 3U);
}

TEST(TrustChanges, AUT3_AreInForceWithTheirLastSignatureAndKept) {
  Fixture f;
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  next.mutable_thresholds(0)->set_signatures(3);
  const v1::Order change = f.Change(next, 5);
  ASSERT_THAT(f.box.Submit(change), IsOk());
  EXPECT_EQ(f.InForce().version(), 1U);
  EXPECT_THAT(Must(f.box->TrustHistory(1)), IsEmpty());
  const v1::Order dark = f.Dark(10);
  ASSERT_THAT(f.box.Submit(dark), IsOk());

  ASSERT_THAT(f.Approve(change, f.blake), IsOk());
  f.box.Crash();
  f.box.Start();
  EXPECT_EQ(f.InForce().version(), 2U);
  EXPECT_EQ(Must(f.box->GetFleet()).trust_bundle.bundle(), change.trust().bundle().bundle());
  const std::vector<v1::SignedOrder> history = Must(f.box->TrustHistory(0));
  ASSERT_THAT(history, SizeIs(2));
  v1::Order first;
  first.ParseFromString(history[0].order());
  v1::TrustBundle root;
  root.ParseFromString(first.trust().bundle().bundle());
  EXPECT_EQ(root.version(), 1U);
  EXPECT_THAT(VerifyOrder(history[1], root), IsOk());
  EXPECT_THAT(Must(f.box->TrustHistory(1)), SizeIs(1));
  EXPECT_THAT(Must(f.box->TrustHistory(2)), IsEmpty());
  EXPECT_EQ(f.Stored(dark).signatures_needed, 3U) << "by the bundle in force";
  const std::vector<std::string> actions = f.Actions();
  EXPECT_EQ(std::ranges::count(actions, "trust.change"), 1);
}

TEST(TrustChanges, AUT3_WhoWasRemovedCountsNoMore) {
  Fixture f;
  const v1::Order dark = f.Dark(10);
  ASSERT_THAT(f.box.Submit(dark, SignedBy(dark, {&f.blake})), IsOk());
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  auto* const people = next.mutable_operators();
  people->erase(std::ranges::find(*people, f.blake.id, &Role::operator_id));
  const v1::Order change = f.Change(next, 5);
  ASSERT_THAT(f.box.Submit(change), IsOk());
  ASSERT_THAT(f.Approve(change, f.casey), IsOk());

  const SubmittedOrder approved = Must(f.Approve(dark, f.casey));
  EXPECT_EQ(approved.proposal, v1::PROPOSAL_STATE_OPEN);
  EXPECT_EQ(approved.signatures, 1U);
  EXPECT_THAT(f.Stored(dark).signed_order.signatures(), SizeIs(1));
  EXPECT_THAT(f.Approve(dark, f.blake), Fails(kDenied, "not in the trust bundle"));
  EXPECT_THAT(f.Due(), SizeIs(1)) << "the change of trust alone";
}

TEST(TrustChanges, AUT3_AHostThatWasAwayIsSentThemWhereTheyCame) {
  Fixture f;
  const TestOperator drew;
  const v1::Order proposal = f.Dark(10);
  v1::Order scan = f.box.Scan({f.host}, 40);
  ASSERT_THAT(f.box.Submit(proposal), IsOk());
  ASSERT_THAT(f.box.Submit(scan), IsOk());
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  Trust(drew, kRoles, &next);
  const v1::Order change = f.Change(next, 20);
  ASSERT_THAT(f.box.Submit(change), IsOk());
  ASSERT_THAT(f.Approve(change, f.blake), IsOk());
  ASSERT_THAT(f.Approve(proposal, drew), IsOk());
  std::vector<std::string> sent;
  for (const OrderRecord& order : f.Due()) sent.push_back(order.order_id);
  EXPECT_THAT(sent, ElementsAre(change.order_id(), proposal.order_id(), scan.order_id()))
      << "drew counts for the host when it judges the proposal";

  const v1::Order old = f.box.Isolate({f.host}, 30);
  ASSERT_THAT(f.box.Submit(old, SignedBy(old, {&drew})), IsOk());
  next.set_version(3);
  next.mutable_operators()->RemoveLast();
  const v1::Order removal = f.Change(next, 50);
  ASSERT_THAT(f.box.Submit(removal), IsOk());
  ASSERT_THAT(f.Approve(removal, f.blake), IsOk());
  sent.clear();
  for (const OrderRecord& order : f.Due()) sent.push_back(order.order_id);
  EXPECT_THAT(sent, ElementsAre(change.order_id(), old.order_id(), scan.order_id(), removal.order_id()))
      << "drew still counts when it judges what drew ordered";
}

TEST(TrustChanges, AUT3_AreCountedByBothBundles) {
  Fixture f;
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  auto* const people = next.mutable_operators();
  people->erase(std::ranges::find(*people, f.blake.id, &Role::operator_id));
  const v1::Order change = f.Change(next, 5);
  ASSERT_THAT(f.box.Submit(change), IsOk());
  const SubmittedOrder by_blake = Must(f.Approve(change, f.blake));  // enough by the old one alone
  EXPECT_EQ(by_blake.proposal, v1::PROPOSAL_STATE_OPEN);
  EXPECT_EQ(f.InForce().version(), 1U);
  EXPECT_EQ(Must(f.Approve(change, f.casey)).proposal, v1::PROPOSAL_STATE_COMPLETED);
  EXPECT_EQ(f.InForce().version(), 2U);
}

TEST(TrustChanges, AUT3_OnesThatCameTooLateAreOver) {
  Fixture f;
  v1::TrustBundle second = f.InForce();
  second.set_version(2);
  v1::TrustBundle third = second;
  third.set_version(3);
  const v1::Order earlier = f.Change(third, 4);
  const v1::Order rival = f.Change(second, 6);
  const v1::Order winner = f.Change(second, 5);
  for (const v1::Order& order : {earlier, rival, winner}) ASSERT_THAT(f.box.Submit(order), IsOk());
  ASSERT_THAT(f.Approve(winner, f.blake), IsOk());
  EXPECT_EQ(f.Stored(rival).proposal, v1::PROPOSAL_STATE_WITHDRAWN) << "its version is taken";
  EXPECT_EQ(f.Stored(earlier).proposal, v1::PROPOSAL_STATE_WITHDRAWN) << "hosts are past its number";
  EXPECT_THAT(f.box.Submit(f.Change(third, 5)), Fails(kPrecondition, "make it anew"));
  EXPECT_THAT(f.box.Submit(f.Change(third, 6)), IsOk());
}

TEST(TrustChanges, AUT1_AnEnrolmentKeepsTheBundleThatItsFilePins) {
  Fixture f;
  const NewEnrollment before = f.box.Enrolment();
  ASSERT_THAT(f.box->CreateEnrollment(before, Note()), IsOk());
  const std::string pinned = Must(f.box->GetFleet()).trust_bundle.bundle();
  v1::TrustBundle next = f.InForce();
  next.set_version(2);
  const v1::Order change = f.Change(next, 5);
  ASSERT_THAT(f.box.Submit(change), IsOk());
  ASSERT_THAT(f.Approve(change, f.blake), IsOk());
  const NewEnrollment after = f.box.Enrolment();
  ASSERT_THAT(f.box->CreateEnrollment(after, Note()), IsOk());
  EXPECT_EQ(Must(f.box->TrustOfEnrollment(before.enrollment_id)).bundle(), pinned);
  EXPECT_EQ(Must(f.box->TrustOfEnrollment(after.enrollment_id)).bundle(), change.trust().bundle().bundle());
  // The host that pins the old one is sent what changed since.
  const std::string late = f.box.AddHost("late");
  EXPECT_THAT(Must(f.box->OrdersFor(late, {})), SizeIs(1));
}

TEST(StoreFile, OfAnOlderVersionGetsItsTrustHistory) {
  StoreBox box;
  const v1::Order order = box.Isolate({box.AddHost("a")}, 1);
  ASSERT_THAT(box.Submit(order), IsOk());
  box.Crash();
  Must(Must(Database::Open(box.File(), Database::Durability::kNormal))
           .Execute("DROP INDEX orders_open; ALTER TABLE orders DROP COLUMN proposal; "
                    "ALTER TABLE orders DROP COLUMN signatures_needed; DROP INDEX orders_released; "
                    "ALTER TABLE orders DROP COLUMN released; DROP TABLE trust_history; "
                    "ALTER TABLE enrollments DROP COLUMN trust_version; DROP TABLE baselines; "
                    "DROP TABLE event_marks; DROP TABLE event_age; DROP INDEX batches_payload; DROP INDEX "
                    "hosts_enrolled_key; DROP INDEX audit_about; "
                    "ALTER TABLE hosts DROP COLUMN enrolled_key; "
                    "ALTER TABLE hosts DROP COLUMN enrolled_again; "
                    "PRAGMA user_version=4"));
  box.Start();
  EXPECT_EQ(Must(box->GetOrder(order.order_id())).proposal, v1::PROPOSAL_STATE_UNSPECIFIED);
  EXPECT_THAT(Must(box->TrustHistory(0)), SizeIs(1));
  const std::string enrollment_id = Must(box->ListEnrollments()).at(0).enrollment_id();
  EXPECT_EQ(Must(box->TrustOfEnrollment(enrollment_id)).bundle(),
            Must(box->GetFleet()).trust_bundle.bundle());
}

}  // namespace
}  // namespace cordon::controller
