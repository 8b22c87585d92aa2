#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::MakeLabel;
using testing::Must;
using testing::Note;
using testing::Outcome;
using ::testing::SizeIs;
using testing::StoreBox;
using ::testing::UnorderedElementsAre;
using v1::OrderOutcome;

constexpr const char* kNobody = "99999999-2222-4333-8444-555555555555";

// Two hosts of leeds.
struct Fixture {
  StoreBox box;
  std::string a = box.AddHost("a");
  std::string b = box.AddHost("b");

  OrderOutcome::State StateOf(const v1::Order& order, const std::string& host_id) {
    return box.OutcomeOn(order.order_id(), host_id).state();
  }
  std::vector<std::string> Due(const std::string& host_id, const std::vector<v1::LaneState>& lanes = {}) {
    std::vector<std::string> ids;
    for (const OrderRecord& order : Must(box->OrdersFor(host_id, lanes))) ids.push_back(order.order_id);
    return ids;
  }
  std::vector<OrderOutcome> Record(const v1::Order& order, const std::string& host_id,
                                   OrderOutcome::State state) {
    const std::vector outcomes = {Outcome(order.order_id(), host_id, state)};
    return Must(box->RecordOutcomes(outcomes));
  }
};

v1::LaneState Applied(const std::string& lane, uint64_t sequence) {
  v1::LaneState state;
  state.set_lane(lane);
  state.set_sequence(sequence);
  return state;
}

TEST(StoreOrders, AnOrderWaitsForEveryHostThatItNames) {
  Fixture f;
  const v1::Order order = f.box.Isolate({f.a, f.b, kNobody}, 10);
  const SubmittedOrder submitted = Must(f.box.Submit(order));
  EXPECT_THAT(submitted.host_ids, UnorderedElementsAre(f.a, f.b));
  EXPECT_FALSE(submitted.repeat);
  EXPECT_EQ(f.StateOf(order, f.a), OrderOutcome::STATE_PENDING);
  EXPECT_THAT(f.Due(f.a), ElementsAre(order.order_id()));
  EXPECT_THAT(f.Due(kNobody), IsEmpty());
  EXPECT_EQ(f.box.Audit().back().action(), "order.submit");
}

TEST(StoreOrders, AreKeptByteForByteAsTheyWereSubmitted) {
  Fixture f;
  const v1::Order order = f.box.Isolate({f.a}, 10);
  // Not as this version would serialise it: the incident stands twice.
  v1::SignedOrder signed_order;
  signed_order.set_order(std::string("\x42\x01x", 3) + order.SerializeAsString() +
                         std::string("\x42\x00", 2));
  *signed_order.add_signatures() =
      Must(SignOrder(signed_order.order(), f.box.Fleet().OperatorId(), f.box.Fleet().OperatorKey()));
  ASSERT_THAT(f.box->SubmitOrder(signed_order, order, "alex", Note()), IsOk());
  const OrderRecord stored = Must(f.box->GetOrder(order.order_id()));
  EXPECT_EQ(stored.signed_order.SerializeAsString(), signed_order.SerializeAsString());
  EXPECT_EQ(stored.submitted_by, "alex");
  EXPECT_EQ(stored.sequence, 10U);
  EXPECT_EQ(stored.lane, "isolation");
  EXPECT_EQ(stored.submitted_unix_nanos, f.box.Time().WallNanos());
}

TEST(StoreOrders, TheSameOneAgainIsARepeatAndAnotherWithItsIdIsRefused) {
  Fixture f;
  v1::Order order = f.box.Isolate({f.a}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  f.Record(order, f.a, OrderOutcome::STATE_DONE);
  const size_t audit = f.box.Audit().size();
  const SubmittedOrder again = Must(f.box.Submit(order));
  EXPECT_TRUE(again.repeat);
  EXPECT_THAT(again.host_ids, ElementsAre(f.a));
  EXPECT_EQ(f.StateOf(order, f.a), OrderOutcome::STATE_DONE);
  EXPECT_EQ(f.box.Audit().size(), audit);
  order.set_reason("another");
  EXPECT_THAT(f.box.Submit(order), Fails(absl::StatusCode::kAlreadyExists, order.order_id()));
}

TEST(StoreOrders, AUT3_ChangesOfTrustAreSentInTurnAndNoneIsLeftOut) {
  Fixture f;
  std::vector<v1::Order> changes;
  for (const uint64_t version : {2, 3, 4}) {
    v1::Order& order = changes.emplace_back(f.box.Isolate({f.a}, 10 * (version - 1)));
    v1::TrustBundle bundle;
    bundle.ParseFromString(f.box.Fleet().Trust().bundle());
    bundle.set_version(version);
    order.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
    ASSERT_THAT(f.box.Submit(order), IsOk());
    EXPECT_EQ(f.StateOf(order, f.a), OrderOutcome::STATE_PENDING);
  }
  const std::string first = changes[0].order_id();
  const std::string second = changes[1].order_id();
  const std::string third = changes[2].order_id();
  EXPECT_THAT(f.Due(f.a), ElementsAre(first, second, third));
  f.Record(changes[0], f.a, OrderOutcome::STATE_DONE);
  EXPECT_THAT(f.Due(f.a, {Applied("trust", 10)}), ElementsAre(second, third));
  // Refused out of turn: it is still waited for, and may still come to be.
  f.Record(changes[1], f.a, OrderOutcome::STATE_REFUSED);
  EXPECT_THAT(f.Due(f.a, {Applied("trust", 10)}), ElementsAre(second, third));
  f.Record(changes[1], f.a, OrderOutcome::STATE_DONE);
  EXPECT_EQ(f.StateOf(changes[1], f.a), OrderOutcome::STATE_DONE);
  EXPECT_THAT(f.Due(f.a, {Applied("trust", 30)}), IsEmpty());
}

TEST(StoreOrders, WithoutAnActionAreNone) {
  Fixture f;
  v1::Order order = f.box.Isolate({f.a}, 10);
  order.clear_isolate();
  EXPECT_THAT(f.box.Submit(order), Fails(absl::StatusCode::kInvalidArgument, "no action"));
  EXPECT_THAT(f.box->GetOrder(order.order_id()), Fails(absl::StatusCode::kNotFound, order.order_id()));
}

TEST(StoreOrders, ISO9_ANewerOneOfTheLaneEndsTheOlder) {
  Fixture f;
  const v1::Order old = f.box.Isolate({f.a, f.b}, 10);
  const v1::Order newer = f.box.Isolate({f.a}, 11);
  ASSERT_THAT(f.box.Submit(old), IsOk());
  const SubmittedOrder submitted = Must(f.box.Submit(newer));
  ASSERT_THAT(submitted.superseded, SizeIs(1));
  EXPECT_EQ(submitted.superseded[0].host_id(), f.a);
  EXPECT_THAT(submitted.superseded[0].message(), HasSubstr(newer.order_id()));
  EXPECT_EQ(f.StateOf(old, f.a), OrderOutcome::STATE_SUPERSEDED);
  EXPECT_EQ(f.StateOf(old, f.b), OrderOutcome::STATE_PENDING);
  EXPECT_THAT(f.Due(f.a), ElementsAre(newer.order_id()));
  EXPECT_THAT(f.Due(f.b), ElementsAre(old.order_id()));
}

TEST(StoreOrders, ISO9_AnOlderOneThatComesLateIsNeverSent) {
  Fixture f;
  const v1::Order newer = f.box.Isolate({f.a}, 11);
  const v1::Order old = f.box.Isolate({f.a}, 10);
  ASSERT_THAT(f.box.Submit(newer), IsOk());
  ASSERT_THAT(f.box.Submit(old), IsOk());
  EXPECT_EQ(f.StateOf(old, f.a), OrderOutcome::STATE_SUPERSEDED);
  EXPECT_THAT(f.Due(f.a), ElementsAre(newer.order_id()));
}

TEST(StoreOrders, ScansStandBesideEachOtherAndBesideIsolation) {
  Fixture f;
  const v1::Order first = f.box.Scan({f.a}, 10);
  const v1::Order second = f.box.Scan({f.a}, 12);
  const v1::Order isolate = f.box.Isolate({f.a}, 11);
  for (const v1::Order& order : {first, second, isolate}) ASSERT_THAT(f.box.Submit(order), IsOk());
  EXPECT_THAT(f.Due(f.a), ElementsAre(first.order_id(), isolate.order_id(), second.order_id()));
  f.Record(first, f.a, OrderOutcome::STATE_RUNNING);
  EXPECT_THAT(f.Due(f.a), SizeIs(3));
  f.Record(first, f.a, OrderOutcome::STATE_DONE);
  EXPECT_THAT(f.Due(f.a), ElementsAre(isolate.order_id(), second.order_id()));
}

TEST(StoreOrders, AScanThatWasReleasedAfterANewerOneIsNamedAsOvertaken) {
  Fixture f;
  const v1::Order newer = f.box.Scan({f.a}, 20);
  const v1::Order late = f.box.Scan({f.a}, 10);
  for (const v1::Order& order : {newer, late}) ASSERT_THAT(f.box.Submit(order), IsOk());
  const std::vector<v1::LaneState> none;
  EXPECT_THAT(Must(f.box->OvertakenScans(f.a, none)), IsEmpty());
  const std::vector<v1::LaneState> applied = {Applied("scan", 20)};
  EXPECT_THAT(Must(f.box->OvertakenScans(f.a, applied)), ElementsAre(late.order_id()));
  // Of one that was sent the host may yet say what it did.
  f.Record(late, f.a, OrderOutcome::STATE_DELIVERED);
  EXPECT_THAT(Must(f.box->OvertakenScans(f.a, applied)), IsEmpty());
}

TEST(StoreOrders, AHostIsSentOnlyWhatItHasNotApplied) {
  Fixture f;
  const v1::Order isolate = f.box.Isolate({f.a}, 10);
  ASSERT_THAT(f.box.Submit(isolate), IsOk());
  f.Record(isolate, f.a, OrderOutcome::STATE_DONE);
  EXPECT_THAT(f.Due(f.a, {Applied("isolation", 10)}), IsEmpty());
  EXPECT_THAT(f.Due(f.a, {Applied("scan", 99), Applied("isolation", 9)}), ElementsAre(isolate.order_id()));
  // A host that lost the memory of its level gets it again, though it once said that it is done.
  EXPECT_THAT(f.Due(f.a), ElementsAre(isolate.order_id()));
  const v1::Order refused = f.box.Isolate({f.b}, 10);
  ASSERT_THAT(f.box.Submit(refused), IsOk());
  f.Record(refused, f.b, OrderOutcome::STATE_REFUSED);
  EXPECT_THAT(f.Due(f.b), IsEmpty());
}

TEST(StoreOrders, AHostThatEnrolsLaterTakesWhatNamesItsSiteOrLabels) {
  Fixture f;
  v1::Order site = f.box.Isolate({}, 10);
  site.mutable_target()->add_sites("york");
  v1::Order label = f.box.Scan({}, 11);
  *label.mutable_target()->add_labels() = MakeLabel("role", "server");
  v1::Order expired = f.box.Scan({}, 12);
  expired.mutable_target()->set_all(true);
  expired.set_expiry_unix_nanos(f.box.Time().WallNanos() + 1);
  for (const v1::Order& order : {site, label, expired}) ASSERT_THAT(f.box.Submit(order), IsOk());
  f.box.Time().Advance(2);
  const std::string york = f.box.AddHost("c", "york", {MakeLabel("role", "server")});
  EXPECT_THAT(f.Due(york), ElementsAre(site.order_id(), label.order_id()));
  const std::string hull = f.box.AddHost("d", "hull");
  EXPECT_THAT(f.Due(hull), IsEmpty());
}

TEST(StoreOutcomes, ChangeWhatMayChangeAndAreReturned) {
  Fixture f;
  const v1::Order order = f.box.Scan({f.a}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_DELIVERED), SizeIs(1));
  EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_DELIVERED), IsEmpty());
  EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_DONE), SizeIs(1));
  EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_FAILED), IsEmpty());
  EXPECT_EQ(f.StateOf(order, f.a), OrderOutcome::STATE_DONE);
  EXPECT_THAT(Must(f.box->RecordOutcomes({})), IsEmpty());
}

// A host tries again by itself what failed, and a host that is contained must not stand as failed.
TEST(StoreOutcomes, AnIsolationThatFailedIsDoneWhenTheHostSaysSoLater) {
  Fixture f;
  const v1::Order isolate = f.box.Isolate({f.a}, 10);
  const v1::Order scan = f.box.Scan({f.a}, 11);
  for (const v1::Order& order : {isolate, scan}) {
    ASSERT_THAT(f.box.Submit(order), IsOk());
    EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_FAILED), SizeIs(1));
  }
  EXPECT_THAT(f.Record(isolate, f.a, OrderOutcome::STATE_DONE), SizeIs(1));
  EXPECT_EQ(f.StateOf(isolate, f.a), OrderOutcome::STATE_DONE);
  EXPECT_EQ(f.box.Audit().back().action(), "order.done");
  EXPECT_THAT(f.Record(scan, f.a, OrderOutcome::STATE_DONE), IsEmpty());
}

TEST(StoreOutcomes, AUT2_OfAnOrderThatNeverMeantTheHostAreNothing) {
  Fixture f;
  const v1::Order order = f.box.Scan({f.a}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  EXPECT_THAT(f.Record(order, f.b, OrderOutcome::STATE_DONE), IsEmpty());
  EXPECT_THAT(Must(f.box->OutcomesOf(order.order_id())), SizeIs(1));
  EXPECT_EQ(f.StateOf(order, f.a), OrderOutcome::STATE_PENDING);
}

TEST(StoreOutcomes, AReceiptInOneIsTheHostsReceipt) {
  Fixture f;
  const v1::Order order = f.box.Isolate({f.a}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  OrderOutcome outcome = Outcome(order.order_id(), f.a, OrderOutcome::STATE_DONE);
  outcome.mutable_receipt()->set_enforced_level(v1::LEVEL_ESSENTIAL);
  outcome.mutable_receipt()->set_read_back_time_unix_nanos(5);
  const std::vector outcomes = {outcome};
  ASSERT_THAT(f.box->RecordOutcomes(outcomes), IsOk());
  EXPECT_EQ(Must(f.box->GetHost(f.a)).receipt.enforced_level(), v1::LEVEL_ESSENTIAL);
}

TEST(StoreOutcomes, WhatWasNotDeliveredInTimeExpiresOnce) {
  Fixture f;
  const v1::Order order = f.box.Isolate({f.a, f.b}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  f.Record(order, f.b, OrderOutcome::STATE_DONE);
  EXPECT_THAT(Must(f.box->ExpireOrders()), IsEmpty());
  f.box.Time().Advance(testing::TestFleet::kHour);
  const std::vector<OrderOutcome> expired = Must(f.box->ExpireOrders());
  ASSERT_THAT(expired, SizeIs(1));
  EXPECT_EQ(expired[0].host_id(), f.a);
  EXPECT_EQ(f.StateOf(order, f.a), OrderOutcome::STATE_EXPIRED);
  EXPECT_EQ(f.StateOf(order, f.b), OrderOutcome::STATE_DONE);
  EXPECT_THAT(Must(f.box->ExpireOrders()), IsEmpty());
  EXPECT_THAT(f.Due(f.a), IsEmpty());
  // The host had it after all, and says so late.
  EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_DONE), SizeIs(1));
}

// A clock that was ahead for a moment takes no order back: when it is set right, the order is due as before.
TEST(StoreOutcomes, WhatExpiredByAClockThatWasAheadIsSentWhenItIsRight) {
  Fixture f;
  const int64_t right = f.box.Time().WallNanos();
  const v1::Order order = f.box.Isolate({f.a}, 10);
  const v1::Order scan = f.box.Scan({f.a}, 11);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  ASSERT_THAT(f.box.Submit(scan), IsOk());
  f.box.Time().SetWall(right + 1'000 * testing::TestFleet::kHour);
  EXPECT_THAT(Must(f.box->ExpireOrders()), SizeIs(2));
  EXPECT_THAT(f.Due(f.a), IsEmpty());
  f.box.Time().SetWall(right);
  EXPECT_THAT(f.Due(f.a), ElementsAre(order.order_id(), scan.order_id()));
  EXPECT_THAT(f.Record(order, f.a, OrderOutcome::STATE_DONE), SizeIs(1));
  EXPECT_THAT(f.Record(scan, f.a, OrderOutcome::STATE_RUNNING), SizeIs(1));
  EXPECT_THAT(f.Due(f.a, {Applied("isolation", 10), Applied("scan", 11)}), IsEmpty());
  f.box.Time().SetWall(right + testing::TestFleet::kHour);
  EXPECT_THAT(f.Due(f.a), IsEmpty()) << "its time has passed";
}

TEST(StoreOutcomes, OfAnUnknownOrderAreNotFound) {
  Fixture f;
  EXPECT_THAT(f.box->OutcomesOf(kNobody), Fails(absl::StatusCode::kNotFound, kNobody));
  EXPECT_THAT(f.box->GetOrder("x'\n"), Fails(absl::StatusCode::kNotFound, "x'\\x0a"));
}

TEST(StoreOrders, AreListedNewestFirstWithCounts) {
  Fixture f;
  EXPECT_EQ(Must(f.box->NewestOrderSequence()), 0U);
  const v1::Order first = f.box.Isolate({f.a, f.b}, 20);
  const v1::Order second = f.box.Scan({f.a}, 10);
  ASSERT_THAT(f.box.Submit(first), IsOk());
  ASSERT_THAT(f.box.Submit(second), IsOk());
  f.Record(first, f.a, OrderOutcome::STATE_DONE);
  const std::vector<v1::OrderSummary> orders = Must(f.box->ListOrders(10, "")).orders;
  ASSERT_THAT(orders, SizeIs(2));
  EXPECT_EQ(orders[0].order().order(), second.SerializeAsString());
  EXPECT_EQ(orders[1].counts().at("STATE_DONE"), 1U);
  EXPECT_EQ(orders[1].counts().at("STATE_PENDING"), 1U);
  EXPECT_EQ(orders[1].submitted_by(), "alex");
  EXPECT_THAT(Must(f.box->ListOrders(1, "")).orders, SizeIs(1));
  EXPECT_EQ(Must(f.box->NewestOrderSequence()), 20U);
  EXPECT_THAT(f.box->ListOrders(0, ""), Fails(absl::StatusCode::kInvalidArgument, "limit"));
  EXPECT_THAT(f.box->ListOrders(1'001, ""), Fails(absl::StatusCode::kInvalidArgument, "limit"));
  EXPECT_THAT(f.box->ListOrders(1, "x"), Fails(absl::StatusCode::kInvalidArgument, "page_token"));
}

// A scan order can have 4 MiB of rules; a list of them is read in pages, and none is left out.
TEST(StoreOrders, AUT6_AListIsNoLongerThanAFewMebibytes) {
  Fixture f;
  std::vector<std::string> newest_first;
  for (uint64_t sequence = 1; sequence <= 7; ++sequence) {
    v1::Order order = f.box.Scan({f.a}, sequence);
    v1::RuleFile& rules = *order.mutable_scan()->mutable_spec()->mutable_indicators()->add_yara();
    rules.set_name("big.yar");
    rules.set_content(std::string(3 * 1024 * 1024, ' '));
    ASSERT_THAT(f.box.Submit(order), IsOk());
    newest_first.insert(newest_first.begin(), order.order_id());
  }
  std::vector<std::string> listed;
  std::string token;
  int pages = 0;
  do {
    const OrderPage page = Must(f.box->ListOrders(100, token));
    size_t bytes = 0;
    for (const v1::OrderSummary& summary : page.orders) {
      bytes += summary.ByteSizeLong();
      v1::Order order;
      order.ParseFromString(summary.order().order());
      listed.push_back(order.order_id());
    }
    EXPECT_LT(bytes, 12 * 1024 * 1024);
    token = page.next_page_token;
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(listed, newest_first);
  EXPECT_EQ(pages, 3);
}

TEST(StoreOutcomes, AUT6_APageOfThemIsNoLongerThanAFewMebibytes) {
  Fixture f;
  std::vector<std::string> hosts = {f.a, f.b};
  for (int i = 0; i < 4; ++i) hosts.push_back(f.box.AddHost(absl::StrCat("h", i)));
  const v1::Order order = f.box.Scan(hosts, 1);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  std::vector<OrderOutcome> large;
  for (const std::string& host : hosts) {
    large.push_back(Outcome(order.order_id(), host, OrderOutcome::STATE_DONE));
    large.back().set_message(std::string(3 * 1024 * 1024, 'x'));
  }
  ASSERT_THAT(f.box->RecordOutcomes(large), IsOk());
  std::vector<std::string> listed;
  std::string token;
  do {
    const OutcomePage page = Must(f.box->OutcomePageOf(order.order_id(), token));
    EXPECT_LE(page.outcomes.size(), 3U);
    for (const OrderOutcome& outcome : page.outcomes) listed.push_back(outcome.host_id());
    token = page.next_page_token;
  } while (!token.empty());
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(hosts));
  EXPECT_EQ(Must(f.box->SummaryOf(order.order_id())).counts().at("STATE_DONE"), 6U);
  EXPECT_THAT(f.box->OutcomePageOf(order.order_id(), "x"),
              Fails(absl::StatusCode::kInvalidArgument, "page_token"));
}

}  // namespace
}  // namespace cordon::controller
