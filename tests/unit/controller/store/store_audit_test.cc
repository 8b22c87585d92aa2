#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sqlite/database.h"
#include "common/wire/audit_chain.h"
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

}  // namespace
}  // namespace cordon::controller
