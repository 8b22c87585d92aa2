#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/sqlite/database.h"
#include "common/wire/audit_chain.h"
#include "common/wire/merkle.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::Note;
using ::testing::SizeIs;
using testing::StoreBox;

TEST(StoreAudit, BeginsWithTheFleetAndChainsEveryEntry) {
  StoreBox box;
  ASSERT_THAT(box->AppendAudit(Note("one")), IsOk());
  ASSERT_THAT(box->AppendAudit(Note("two")), IsOk());
  const std::vector<v1::AuditEntry> entries = box.Audit();
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0].action(), "fleet.create");
  EXPECT_EQ(entries[0].actor(), "controller");
  EXPECT_EQ(entries[2].action(), "two");
  EXPECT_EQ(entries[2].actor(), "operator/alex");
  EXPECT_EQ(entries[2].subject(), "it");
  EXPECT_EQ(entries[2].detail(), "by a test");
  EXPECT_EQ(entries[2].time_unix_nanos(), box.Time().WallNanos());
  EXPECT_THAT(VerifyAudit(entries), IsOk());
}

TEST(StoreAudit, GoesOnWithTheSameChainAfterARestart) {
  StoreBox box;
  ASSERT_THAT(box->AppendAudit(Note("before")), IsOk());
  box.Crash();
  box.Start();
  ASSERT_THAT(box->AppendAudit(Note("after")), IsOk());
  EXPECT_THAT(box.Audit(), SizeIs(3));
  EXPECT_THAT(VerifyAudit(box.Audit()), IsOk());
}

TEST(StoreAudit, IsReadFromAnyEntryInAsManyPagesAsItTakes) {
  StoreBox box;
  for (int i = 2; i <= 1'203; ++i) ASSERT_THAT(box->AppendAudit(Note()), IsOk());
  std::vector<uint64_t> indices;
  ASSERT_THAT(box->ReadAudit(3,
                             [&](v1::AuditEntry&& entry) {
                               indices.push_back(entry.index());
                               return true;
                             }),
              IsOk());
  ASSERT_THAT(indices, SizeIs(1'201));
  EXPECT_EQ(indices.front(), 3U);
  EXPECT_EQ(indices.back(), 1'203U);
  EXPECT_TRUE(std::ranges::is_sorted(indices));
}

TEST(StoreAudit, StopsWhenTheReaderHasEnoughAndGivesNothingBeyondItsEnd) {
  StoreBox box;
  ASSERT_THAT(box->AppendAudit(Note()), IsOk());
  std::vector<uint64_t> indices;
  const auto first_only = [&](v1::AuditEntry&& entry) {
    indices.push_back(entry.index());
    return false;
  };
  ASSERT_THAT(box->ReadAudit(1, first_only), IsOk());
  EXPECT_THAT(indices, ElementsAre(1));
  ASSERT_THAT(box->ReadAudit(3, first_only), IsOk());
  EXPECT_THAT(indices, SizeIs(1));
}

TEST(StoreAudit, RefusesAnIndexThatNoLogCanReach) {
  StoreBox box;
  EXPECT_FALSE(box->ReadAudit(UINT64_MAX, [](v1::AuditEntry&&) { return true; }).ok());
}

TEST(StoreAudit, OnlyGrowsEvenForWhoeverHasTheFile) {
  StoreBox box;
  ASSERT_THAT(box->AppendAudit(Note()), IsOk());
  box.Crash();
  Database database = testing::Must(Database::Open(box.File(), Database::Durability::kNormal));
  EXPECT_THAT(std::string(database.Execute("UPDATE audit SET detail = 'nothing'").message()),
              HasSubstr("only grows"));
  EXPECT_THAT(std::string(database.Execute("DELETE FROM audit").message()), HasSubstr("only grows"));
  EXPECT_THAT(database.Execute("UPDATE fleet SET organisation = 'x'"), IsOk());  // the positive control
}

// Who takes the triggers away first is found by the chain.
TEST(StoreAudit, AnAlteredEntryIsNamedByTheChain) {
  StoreBox box;
  for (int i = 0; i < 3; ++i) ASSERT_THAT(box->AppendAudit(Note()), IsOk());
  box.Crash();
  {
    Database database = testing::Must(Database::Open(box.File(), Database::Durability::kNormal));
    ASSERT_THAT(database.Execute("DROP TRIGGER audit_is_append_only_1; "
                                 "UPDATE audit SET actor = 'nobody' WHERE entry_index = 3"),
                IsOk());
  }
  box.Start();
  EXPECT_THAT(VerifyAudit(box.Audit()), Fails(absl::StatusCode::kDataLoss, "3"));
}

// Roots and proofs of the store are those of the entries that it gives out.
TEST(StoreAudit, AUT3_KeepsTheTreeOfItsEntries) {
  StoreBox box;
  MerkleWalk walk;
  std::vector<std::string> roots = {walk.Root()};
  for (int i = 2; i <= 70; ++i) ASSERT_THAT(box->AppendAudit(Note()), IsOk());
  for (const v1::AuditEntry& entry : box.Audit()) {
    walk.Add(entry.hash());
    roots.push_back(walk.Root());
  }
  const AuditHead head = testing::Must(box->GetAuditHead());
  EXPECT_EQ(head.size, 70U);
  EXPECT_EQ(head.root, roots.back());
  for (uint64_t size = 0; size <= 70; ++size) ASSERT_EQ(testing::Must(box->AuditRoot(size)), roots[size]);
  for (uint64_t second = 1; second <= 70; second += 3) {
    for (uint64_t first = 1; first <= second; first += 2) {
      const auto proof = testing::Must(box->AuditConsistency(first, second));
      ASSERT_THAT(VerifyMerkleConsistency(first, roots[first], second, roots[second], proof), IsOk());
    }
  }
  constexpr auto kRange = absl::StatusCode::kOutOfRange;
  EXPECT_THAT(box->AuditRoot(71).status(), Fails(kRange, "has 70 entries, not 71"));
  EXPECT_THAT(box->AuditConsistency(1, 71).status(), Fails(kRange, "has 70 entries, not 71"));
  EXPECT_THAT(box->AuditConsistency(9, 8).status(), Fails(kRange, "9"));
}

// A store from before there was a tree, and one that lost a part of it, get it when they are opened.
TEST(StoreAudit, CompletesItsTreeWhenItIsOpened) {
  for (const int kept : {0, 1, 5, 8, 12}) {
    StoreBox box;
    for (int i = 2; i <= 13; ++i) ASSERT_THAT(box->AppendAudit(Note()), IsOk());
    const std::string root = testing::Must(box->GetAuditHead()).root;
    box.Crash();
    {
      Database database = testing::Must(Database::Open(box.File(), Database::Durability::kNormal));
      ASSERT_THAT(database.Execute(StrCat("DROP TRIGGER audit_tree_is_append_only_2; "
                                          "DELETE FROM audit_tree WHERE (node + 1) << level > ",
                                          kept)),
                  IsOk());
    }
    box.Start();
    EXPECT_EQ(testing::Must(box->GetAuditHead()).root, root) << kept;
    ASSERT_THAT(box->AppendAudit(Note()), IsOk());
    EXPECT_EQ(testing::Must(box->GetAuditHead()).size, 14U);
  }
}

TEST(StoreAudit, ALogThatIsShorterThanItsTreeIsNotServed) {
  StoreBox box;
  for (int i = 0; i < 5; ++i) ASSERT_THAT(box->AppendAudit(Note()), IsOk());
  box.Crash();
  {
    Database database = testing::Must(Database::Open(box.File(), Database::Durability::kNormal));
    EXPECT_THAT(std::string(database.Execute("DELETE FROM audit_tree").message()), HasSubstr("only grows"));
    EXPECT_THAT(std::string(database.Execute("UPDATE audit_tree SET hash = x''").message()),
                HasSubstr("only grows"));
    ASSERT_THAT(
        database.Execute("DROP TRIGGER audit_is_append_only_2; DELETE FROM audit WHERE entry_index > 4"),
        IsOk());
  }
  testing::FakeClock clock{0};
  EXPECT_THAT(
      OpenSqliteStore(box.File(), clock).status(),
      Fails(absl::StatusCode::kDataLoss, "the audit log was cut: it has 4 entries, and its tree is of 6"));
}

std::vector<std::string> ActionsOf(const std::vector<v1::AuditEntry>& entries, size_t from) {
  std::vector<std::string> actions;
  for (size_t i = from; i < entries.size(); ++i)
    actions.push_back(entries[i].actor() + " " + entries[i].action());
  return actions;
}

TEST(StoreAudit, RecordsDeliveriesRefusalsAndOutcomesOfOrders) {
  StoreBox box;
  const std::string one = box.AddHost("one");
  const std::string two = box.AddHost("two");
  const v1::Order order = box.Isolate({one, two}, 1);
  ASSERT_THAT(box.Submit(order).status(), IsOk());
  const size_t before = box.Audit().size();
  const auto record = [&](const std::string& host, v1::OrderOutcome::State state,
                          const std::string& message = "") {
    v1::OrderOutcome outcome = testing::Outcome(order.order_id(), host, state);
    outcome.set_message(message);
    return outcome;
  };
  const auto tell = [&](const std::vector<v1::OrderOutcome>& outcomes) {
    ASSERT_THAT(box->RecordOutcomes(outcomes).status(), IsOk());
  };
  tell({record(one, v1::OrderOutcome::STATE_DELIVERED), record(two, v1::OrderOutcome::STATE_DELIVERED)});
  tell({record(one, v1::OrderOutcome::STATE_DONE),
        record(two, v1::OrderOutcome::STATE_REFUSED, "not\x01 for me")});
  tell({record(one, v1::OrderOutcome::STATE_DONE)});  // a repeat is no news
  const std::vector<v1::AuditEntry> entries = box.Audit();
  EXPECT_THAT(ActionsOf(entries, before),
              ElementsAre("controller order.delivered", "host/" + one + " order.done",
                          "host/" + two + " order.refused"));
  EXPECT_THAT(entries[before].detail(), HasSubstr("2 hosts: "));
  EXPECT_THAT(entries[before].detail(), HasSubstr(one));
  EXPECT_EQ(entries[before + 2].detail(), "1 host: " + two + "; not\\x01 for me");
  EXPECT_EQ(entries[before + 2].subject(), order.order_id());
  EXPECT_THAT(VerifyAudit(entries), IsOk());
}

TEST(StoreAudit, AUT6_CutsATextThatIsTooLongAndSaysSo) {
  StoreBox box;
  std::string text;
  while (text.size() < 100'000) text += "\u00e9";  // of two bytes
  ASSERT_THAT(box->AppendAudit({"operator/alex", "events.query", "events", "x" + text}), IsOk());
  const std::string whole(8 * 1024, 'x');
  ASSERT_THAT(box->AppendAudit({"operator/alex", "events.query", "events", whole}), IsOk());
  const std::vector<v1::AuditEntry> entries = box.Audit();
  const std::string& cut = entries[entries.size() - 2].detail();
  EXPECT_LE(cut.size(), 8U * 1024U);
  EXPECT_TRUE(cut.ends_with("\u00e9 [cut]")) << cut.substr(cut.size() - 10);
  EXPECT_EQ(entries.back().detail(), whole);
  EXPECT_THAT(VerifyAudit(entries), IsOk());
}

TEST(StoreAudit, NamesManyHostsInAsManyEntriesAsItTakes) {
  StoreBox box;
  std::vector<std::string> hosts;
  for (int i = 0; i < 230; ++i) hosts.push_back(box.AddHost(StrCat("host-", i)));
  const v1::Order order = box.Isolate(hosts, 1);
  ASSERT_THAT(box.Submit(order).status(), IsOk());
  const size_t before = box.Audit().size();
  std::vector<v1::OrderOutcome> outcomes;
  for (const std::string& host : hosts) {
    outcomes.push_back(testing::Outcome(order.order_id(), host, v1::OrderOutcome::STATE_DELIVERED));
  }
  ASSERT_THAT(box->RecordOutcomes(outcomes).status(), IsOk());
  std::string details;
  const std::vector<v1::AuditEntry> entries = box.Audit();
  for (size_t i = before; i < entries.size(); ++i) details += entries[i].detail();
  EXPECT_THAT(ActionsOf(entries, before), SizeIs(3));
  for (const std::string& host : hosts) EXPECT_THAT(details, HasSubstr(host));
}

TEST(StoreAudit, AUT2_AHostThatCallsAnOrderExpiredSaysSoInItsOwnName) {
  StoreBox box;
  const std::string host = box.AddHost("one");
  const v1::Order order = box.Isolate({host}, 1);
  ASSERT_THAT(box.Submit(order).status(), IsOk());
  const std::vector outcomes = {testing::Outcome(order.order_id(), host, v1::OrderOutcome::STATE_EXPIRED)};
  ASSERT_THAT(box->RecordOutcomes(outcomes).status(), IsOk());
  EXPECT_EQ(box.Audit().back().action(), "order.expired");
  EXPECT_EQ(box.Audit().back().actor(), "host/" + host);
}

TEST(StoreAudit, RecordsOrdersThatANewerOneOrARevocationEnds) {
  StoreBox box;
  const std::string host = box.AddHost("one");
  const v1::Order older = box.Isolate({host}, 1);
  const v1::Order newer = box.Isolate({host}, 2);
  ASSERT_THAT(box.Submit(older).status(), IsOk());
  size_t before = box.Audit().size();
  ASSERT_THAT(box.Submit(newer).status(), IsOk());
  EXPECT_THAT(ActionsOf(box.Audit(), before),
              ElementsAre("operator/alex order.submit", "controller order.superseded"));
  EXPECT_EQ(box.Audit().back().subject(), older.order_id());
  before = box.Audit().size();
  const std::vector<v1::OrderOutcome> cancelled =
      testing::Must(box->RevokeHost(host, testing::Note("host.revoke", host)));
  EXPECT_THAT(cancelled, SizeIs(1)) << "the older one has ended already";
  EXPECT_THAT(ActionsOf(box.Audit(), before),
              ElementsAre("operator/alex host.revoke", "controller order.cancelled"));
}

TEST(StoreAudit, RecordsOrdersThatExpire) {
  StoreBox box;
  const std::string host = box.AddHost("one");
  const v1::Order order = box.Isolate({host}, 1);
  ASSERT_THAT(box.Submit(order).status(), IsOk());
  box.Time().Advance(2 * testing::TestFleet::kHour);
  ASSERT_THAT(box->ExpireOrders().status(), IsOk());
  EXPECT_EQ(box.Audit().back().action(), "order.expired");
  EXPECT_EQ(box.Audit().back().actor(), "controller");
  EXPECT_EQ(box.Audit().back().subject(), order.order_id());
}

// Lists are bounded in what they look at: a page may be empty, and the next one has the entry.
TEST(StoreAudit, AUT6_AListThatFindsNothingInManyEntriesGivesItsThreadBack) {
  StoreBox box;
  ASSERT_THAT(box->AppendAudit(Note("test.rare")), IsOk());
  box.Crash();
  {
    Database file = testing::Must(Database::Open(box.File(), Database::Durability::kNormal));
    ASSERT_THAT(
        file.Execute("WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 10010) "
                     "INSERT INTO audit SELECT i, 0, 'a', 'test.many', '', '', zeroblob(32), "
                     "zeroblob(32) FROM n"),
        IsOk());
  }
  box.Start();
  const AuditPage first = testing::Must(box->ListAudit({.limit = 10, .action_prefix = "test.rare"}));
  EXPECT_THAT(first.entries, SizeIs(0));
  ASSERT_FALSE(first.next_page_token.empty());
  const AuditPage second = testing::Must(
      box->ListAudit({.limit = 10, .page_token = first.next_page_token, .action_prefix = "test.rare"}));
  ASSERT_THAT(second.entries, SizeIs(1));
  EXPECT_EQ(second.entries[0].index(), 2U);
  EXPECT_THAT(second.next_page_token, "");
}

TEST(StoreAudit, AUT6_APageOfAListHasEightMebibytesAtMost) {
  StoreBox box;
  box.Crash();
  {
    Database file = testing::Must(Database::Open(box.File(), Database::Durability::kNormal));
    ASSERT_THAT(file.Execute("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 600) "
                             "INSERT INTO audit SELECT i, 0, hex(zeroblob(4096)), 'test.large', "
                             "hex(zeroblob(4096)), hex(zeroblob(4096)), zeroblob(32), zeroblob(32) FROM n"),
                IsOk());
  }
  box.Start();
  AuditQuery query{.limit = 1'000, .action_prefix = "test.large"};
  size_t entries = 0;
  int pages = 0;
  do {
    const AuditPage page = testing::Must(box->ListAudit(query));
    size_t bytes = 0;
    for (const v1::AuditEntry& entry : page.entries) bytes += entry.ByteSizeLong();
    EXPECT_LE(bytes, (8U << 20U) + (32U << 10U));
    entries += page.entries.size();
    query.page_token = page.next_page_token;
    ++pages;
  } while (!query.page_token.empty());
  EXPECT_EQ(entries, 599U);
  EXPECT_EQ(pages, 2);
}

}  // namespace
}  // namespace cordon::controller
