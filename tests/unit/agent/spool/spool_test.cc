#include "agent/spool/spool.h"

#include <gtest/gtest.h>

#include <fstream>

#include "agent/spool/agent_database.h"
#include "common/sqlite/database.h"
#include "tests/support/host_certificate.h"
#include "tests/support/spool_box.h"

namespace cordon::agent {
namespace {

using testing::BulkyEvent;
using testing::ChainFault;
using testing::Group;
using testing::ProcessEvent;
using testing::SpoolBox;

constexpr int64_t kHour = 3600 * kNanosPerSecond;

absl::Status AppendProcess(Spool& spool, uint32_t pid) {
  return spool.Append({Group(v1::EVENT_CLASS_PROCESS, {ProcessEvent(pid)})});
}

TEST(Spool, NumbersEventsFromOneAndChainsBatches) {
  SpoolBox box;
  ASSERT_TRUE(box->Append({Group(v1::EVENT_CLASS_PROCESS, {ProcessEvent(1), ProcessEvent(2)}),
                           Group(v1::EVENT_CLASS_FILE, {ProcessEvent(3)})})
                  .ok());
  const auto batches = box.All();
  ASSERT_EQ(batches.size(), 2);
  EXPECT_EQ(batches[0].first_sequence(), 1);
  EXPECT_EQ(batches[1].first_sequence(), 3);
  EXPECT_EQ(batches[0].previous_hash(), FirstPreviousHash());
  EXPECT_EQ(ChainFault(batches), "");
  EXPECT_EQ(batches[0].chain_id(), box->ChainId());
}

TEST(Spool, GivesWhatFitsAndAtLeastOneBatch) {
  SpoolBox box;
  for (uint32_t pid = 1; pid <= 3; ++pid) {
    ASSERT_TRUE(box->Append({Group(v1::EVENT_CLASS_FILE, {BulkyEvent(pid, 10'000)})}).ok());
  }
  EXPECT_EQ(box->Next(0, 1)->size(), 1);
  EXPECT_EQ(box->Next(0, 26'000)->size(), 2 + 1);
  EXPECT_EQ(box->Next(1, 1)->front().first_sequence(), 2);
  EXPECT_TRUE(box->Next(3, 1)->empty());
}

// Statements are kept. One that stopped before its last row must not stand in the way of the journal's end.
TEST(Spool, HoldsNoTransactionOpenAfterItGaveAPart) {
  SpoolBox box;
  for (uint32_t pid = 1; pid <= 3; ++pid) ASSERT_TRUE(AppendProcess(*box, pid).ok());
  ASSERT_EQ(box->Next(0, 1)->size(), 1);
  absl::StatusOr<Database> other = Database::Open(box.Settings().file, Database::Durability::kFull);
  ASSERT_TRUE(other.ok());
  absl::StatusOr<Statement> checkpoint = other->Prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  ASSERT_TRUE(checkpoint.ok());
  ASSERT_TRUE(*checkpoint->Step());
  EXPECT_EQ(checkpoint->Int(0), 0) << "0: not blocked";
  EXPECT_EQ(box->Next(1, 1)->front().first_sequence(), 2);
}

TEST(Spool, ForgetsWhatIsAcknowledgedWithTheNextWrite) {
  SpoolBox box;
  for (uint32_t pid = 1; pid <= 3; ++pid) ASSERT_TRUE(AppendProcess(*box, pid).ok());
  ASSERT_TRUE(box->Acknowledge(box->ChainId(), 0, 2).ok());
  ASSERT_TRUE(box->Maintain().ok());
  EXPECT_EQ(box->Next(0, SIZE_MAX)->size(), 1);
  EXPECT_EQ(box->Stats().events, 1);
  EXPECT_EQ(box->Stats().acknowledged_sequence, 2);
}

TEST(Spool, RefusesAnAcknowledgementThatCannotBe) {
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  EXPECT_FALSE(box->Acknowledge(box->ChainId(), 0, 2).ok());
  EXPECT_FALSE(box->Acknowledge("another", 0, 1).ok());
  EXPECT_TRUE(box->Acknowledge(box->ChainId(), 0, 1).ok());
}

TEST(Spool, SaysThatTheAgentWasNotRunning) {
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  ASSERT_TRUE(box->CloseCleanly().ok());
  EXPECT_FALSE(AppendProcess(*box, 2).ok());
  const int64_t stopped = box.Time().WallNanos();
  box.Time().Advance(kHour);
  box.CrashAndStart();
  ASSERT_EQ(box.Gaps().size(), 1);
  EXPECT_EQ(box.Gaps()[0].cause(), v1::Gap::CAUSE_AGENT_NOT_RUNNING);
  EXPECT_EQ(box.Gaps()[0].first_time_unix_nanos(), stopped);
  EXPECT_EQ(box.Gaps()[0].last_time_unix_nanos(), stopped + kHour);
}

TEST(Spool, SaysThatTheAgentStoppedUncleanly) {
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  const int64_t last_commit = box.Time().WallNanos();
  box.Time().Advance(kHour);
  box.CrashAndStart();
  ASSERT_EQ(box.Gaps().size(), 1);
  EXPECT_EQ(box.Gaps()[0].cause(), v1::Gap::CAUSE_AGENT_STOPPED_UNCLEANLY);
  EXPECT_TRUE(box.Gaps()[0].count_unknown());
  // What had happened before the last write, and was still on its way to it, is lost as well.
  EXPECT_EQ(box.Gaps()[0].first_time_unix_nanos(), last_commit - 10 * kNanosPerSecond);
  EXPECT_EQ(box.Gaps()[0].last_time_unix_nanos(), last_commit + kHour);
  EXPECT_EQ(ChainFault(box.All()), "");
}

TEST(Spool, BeginsANewChainWhenTheFileIsDamaged) {
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  const std::string chain = box->ChainId();
  box.Crash();
  std::ofstream(box.Settings().file, std::ios::trunc) << std::string(8192, 'x');
  box.Start();
  EXPECT_NE(box->ChainId(), chain);
  EXPECT_NE(box->SetAsideNotice(), "");
  ASSERT_EQ(box.Gaps().size(), 1);
  EXPECT_EQ(box.Gaps()[0].cause(), v1::Gap::CAUSE_STATE_DAMAGED);
  EXPECT_EQ(box.All()[0].first_sequence(), 1);
}

TEST(Spool, GivesADamagedPayloadAsADroppedBatch) {
  SpoolBox box;
  for (uint32_t pid = 1; pid <= 3; ++pid) ASSERT_TRUE(AppendProcess(*box, pid).ok());
  ASSERT_TRUE(OpenAgentDatabase(box.Settings().file, 0)
                  ->database.Execute("UPDATE payload SET bytes=x'00' WHERE id=2")
                  .ok());
  const auto batches = box.All();
  ASSERT_EQ(batches.size(), 3);
  EXPECT_EQ(batches[1].dropped(), v1::Gap::CAUSE_STATE_DAMAGED);
  EXPECT_EQ(batches[2].dropped(), v1::Gap::CAUSE_UNSPECIFIED);
  EXPECT_EQ(ChainFault(batches), "");
}

TEST(Spool, GivesWhatStandsBeforeADamagedHeaderAndSaysThatTheRestCannotBeRead) {
  SpoolBox box;
  for (uint32_t pid = 1; pid <= 3; ++pid) ASSERT_TRUE(AppendProcess(*box, pid).ok());
  ASSERT_TRUE(OpenAgentDatabase(box.Settings().file, 0)
                  ->database.Execute("UPDATE batch SET header=x'ff' WHERE id=2")
                  .ok());
  const auto before = box->Next(0, SIZE_MAX);
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(before->size(), 1);
  EXPECT_TRUE(box->Readable().ok()) << "nobody has met it";
  EXPECT_TRUE(absl::IsDataLoss(box->Next(1, SIZE_MAX).status()));
  ASSERT_TRUE(absl::IsDataLoss(box->Readable()));
  EXPECT_NE(box->Readable().message().find("restart the agent"), std::string::npos) << box->Readable();
  EXPECT_TRUE(AppendProcess(*box, 4).ok()) << "writes notice nothing";
  box.CrashAndStart();
  EXPECT_TRUE(box->Readable().ok());
  ASSERT_EQ(box.Gaps().size(), 1);
  EXPECT_EQ(box.Gaps()[0].cause(), v1::Gap::CAUSE_STATE_DAMAGED);
}

TEST(Spool, GivesUpWhatIsTooOldByATimeThatNobodyCanSet) {
  SpoolBox box;
  box.Settings().limit_age_nanos = 10 * kHour;
  box.CrashAndStart();
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  box.Time().SetWall(box.Time().WallNanos() + 1'000 * kHour);
  ASSERT_TRUE(box->Maintain().ok());
  EXPECT_EQ(box->Stats().dropped_events, 0);
  box.Time().Advance(11 * kHour);
  ASSERT_TRUE(box->Maintain().ok());
  EXPECT_EQ(box->Stats().dropped_events, 1);
  EXPECT_EQ(box.All().back().dropped(), v1::Gap::CAUSE_SPOOL_AGE);
}

TEST(Spool, FoldsHeadersWithoutPayloadIntoGapsWhenTheyAreTooMany) {
  SpoolBox box(2'000);
  box.Settings().limit_stubs = 10;
  box.CrashAndStart();
  const std::string chain = box->ChainId();
  for (uint32_t pid = 1; pid <= 40; ++pid) {
    ASSERT_TRUE(box->Append({Group(v1::EVENT_CLASS_FILE, {BulkyEvent(pid, 3'000)})}).ok());
  }
  EXPECT_NE(box->ChainId(), chain);
  EXPECT_LT(box.All().size(), 20);
  EXPECT_EQ(ChainFault(box.All()), "");
  uint64_t lost = 0;
  for (const v1::Gap& gap : box.Gaps()) {
    if (gap.cause() == v1::Gap::CAUSE_SPOOL_FULL) lost += gap.count();
  }
  for (const v1::Batch& batch : box.All()) {
    if (batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) lost += batch.event_count();
  }
  EXPECT_EQ(lost, 40);
}

TEST(Spool, TEL4_HeadersDoNotCrowdOutPayloads) {
  SpoolBox box(1024 * 1024);
  for (uint32_t pid = 1; pid <= 3'000; ++pid) {
    ASSERT_TRUE(box->Append({Group(v1::EVENT_CLASS_FILE, {BulkyEvent(pid, 1'000)})}).ok());
  }
  size_t stubs = 0;
  for (const v1::Batch& batch : box.All()) stubs += batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED ? 1 : 0;
  EXPECT_LE(stubs, 1'001U);
  EXPECT_GT(box->Stats().events, 500U) << "half of the room at least is for what can still be told";
}

TEST(Spool, GivesABoundedPieceOfHeadersWithoutPayload) {
  SpoolBox box(1024 * 1024);
  for (uint32_t pid = 1; pid <= 1'500; ++pid) {
    ASSERT_TRUE(box->Append({Group(v1::EVENT_CLASS_FILE, {BulkyEvent(pid, 1'000)})}).ok());
  }
  ASSERT_EQ(box.All().front().dropped(), v1::Gap::CAUSE_SPOOL_FULL) << "the first ones are headers alone";
  const auto piece = box->Next(0, 4'096);
  ASSERT_TRUE(piece.ok()) << piece.status();
  EXPECT_GE(piece->size(), 2U);
  EXPECT_LE(piece->size(), 60U);
}

TEST(Spool, AUT6_AcknowledgementsInPiecesWithoutEndAreRefused) {
  SpoolBox box;
  for (uint32_t pid = 1; pid <= 60; ++pid) ASSERT_TRUE(AppendProcess(*box, pid).ok());
  const std::string chain = box->ChainId();
  for (uint64_t piece = 1; piece <= 16; ++piece) {
    ASSERT_TRUE(box->Acknowledge(chain, 2 * piece + 1, 2 * piece + 1).ok()) << piece;
  }
  EXPECT_EQ(box->Acknowledge(chain, 40, 40).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(box->Acknowledge(chain, 33, 36).ok()) << "one that is there already may grow";
  EXPECT_TRUE(box->Acknowledge(chain, 0, 50).ok());
  EXPECT_TRUE(box->Acknowledge(chain, 55, 55).ok()) << "there is room again";
}

// The damaged file was written last by a clock that is years ahead of this one.
TEST(Spool, ISO9_AClockThatIsWrongByYearsShutsNoOrderOutForLong) {
  constexpr int64_t kDay = 86'400 * kNanosPerSecond;
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  box.Crash();
  const std::filesystem::path file = box.Settings().file;
  const int64_t now = box.Time().WallNanos();
  std::ofstream(file.parent_path() / "host.crt") << testing::HostCertificate(now - kDay, now + 30 * kDay);
  std::ofstream(file, std::ios::trunc) << std::string(8192, 'x');
  box.Start();
  auto database = Database::Open(file, Database::Durability::kFull);
  ASSERT_TRUE(database.ok()) << database.status();
  auto floor = database->Prepare("SELECT max(sequence), count(*) FROM lane");
  ASSERT_TRUE(floor->Step().value());
  EXPECT_EQ(floor->Int(1), 2);
  EXPECT_LE(floor->Int(0), (now + 30 * kDay) / 1'000);
  EXPECT_GE(floor->Int(0), now / 1'000);
}

// Killed after the damaged file was set aside, and before anything was recorded.
TEST(Spool, TEL1_AFreshFileBesideADamagedOneTellsOfItAndRefusesEarlierOrders) {
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  box.Crash();
  const std::filesystem::path file = box.Settings().file;
  std::filesystem::rename(file, file.string() + ".damaged-1700000000");
  for (const char* journal : {"-wal", "-shm"}) std::filesystem::remove(file.string() + journal);
  box.Start();
  ASSERT_EQ(box.Gaps().size(), 1U);
  EXPECT_EQ(box.Gaps().front().cause(), v1::Gap::CAUSE_STATE_DAMAGED);
  auto database = Database::Open(file, Database::Durability::kFull);
  ASSERT_TRUE(database.ok()) << database.status();
  auto floor = database->Prepare("SELECT min(sequence), count(*) FROM lane");
  ASSERT_TRUE(floor->Step().value());
  EXPECT_EQ(floor->Int(1), 2);
  // This test's clock stands far behind the file's last write.
  EXPECT_GT(floor->Int(0), box.Time().WallNanos() / 1'000);
  box.CrashAndStart();
  EXPECT_EQ(box.Gaps().size(), 2U) << "told once; the other one is the crash";
}

TEST(Spool, RefusesTheQueueOfAnotherHost) {
  SpoolBox box;
  ASSERT_TRUE(AppendProcess(*box, 1).ok());
  box.Settings().host_id = "00000000-0000-4000-8000-000000000000";
  box.CrashAndStart();
  EXPECT_NE(box->SetAsideNotice().find("that of host"), std::string::npos);
  EXPECT_EQ(box.Gaps().size(), 1);
}

}  // namespace
}  // namespace cordon::agent
