// TEL-3: a batch that is missing, altered or out of order is detected and named, on the controller and on the
// host. The batches are a real spool's, the controller's store is a real one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/spool/agent_database.h"
#include "common/base/hex.h"
#include "common/crypto/digest.h"
#include "tests/support/spool_box.h"
#include "tests/support/store_box.h"

namespace cordon {
namespace {

using controller::BatchResult;
using controller::HostBatch;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Group;
using ::testing::HasSubstr;
using testing::Must;
using testing::ProcessEvent;
using ::testing::SizeIs;
using testing::SpoolBox;
using testing::StoreBox;
using Verdict = BatchResult::Verdict;

// A spool with four batches, 1-2, 3-4, 5-6 and 7-8, whose events have pids 1 to 8.
void Fill(SpoolBox& spool) {
  for (uint32_t pid = 1; pid < 8; pid += 2) {
    Must(spool->Append({Group(v1::EVENT_CLASS_PROCESS, {ProcessEvent(pid), ProcessEvent(pid + 1)})}));
  }
}

// A controller that knows the spool's host.
struct Fixture {
  SpoolBox spool;
  StoreBox store;

  Fixture() {
    Fill(spool);
    const controller::NewEnrollment enrollment = store.Enrolment();
    Must(store->CreateEnrollment(enrollment, testing::Note()));
    controller::NewHost host = StoreBox::HostNamed("reception-1");
    host.host_id = testing::kSpoolHost;
    Must(store->EnrollHost(enrollment.enrollment_id, enrollment.token, host));
  }

  BatchResult Commit(const v1::Batch& batch) {
    const std::vector<HostBatch> group = {{testing::kSpoolHost, batch}};
    return Must(store->CommitBatches(group)).batches.at(0);
  }
  std::vector<uint32_t> Stored() {
    std::vector<uint32_t> pids;
    Must(store->QueryEvents({}, INT64_MAX, [&](v1::QueryEventsResponse&& event) {
      pids.push_back(event.event().process_started().pid());
      return true;
    }));
    return pids;
  }
};

TEST(BatchChain, TEL3_TheControllerTakesAWholeChainInOrder) {  // the positive control of those below
  Fixture f;
  for (const v1::Batch& batch : f.spool.All()) EXPECT_EQ(f.Commit(batch).verdict, Verdict::kCommitted);
  EXPECT_THAT(f.Stored(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST(BatchChain, TEL3_TheControllerNamesAMissingBatch) {
  Fixture f;
  const std::vector<v1::Batch> batches = f.spool.All();
  EXPECT_EQ(f.Commit(batches[0]).verdict, Verdict::kCommitted);
  const BatchResult result = f.Commit(batches[2]);
  EXPECT_EQ(result.verdict, Verdict::kRefused);
  EXPECT_EQ(result.reason, "batch 5-6 leaves a hole: 3-4 are missing");
  EXPECT_EQ(f.Commit(batches[1]).verdict, Verdict::kCommitted);
  EXPECT_EQ(f.Commit(batches[2]).verdict, Verdict::kCommitted);
}

TEST(BatchChain, TEL3_TheControllerNamesBatchesThatChangedPlaces) {
  Fixture f;
  std::vector<v1::Batch> batches = f.spool.All();
  // Numbers changed too, so that only the chain can tell.
  const uint64_t second = batches[1].first_sequence();
  batches[1].set_first_sequence(batches[2].first_sequence());
  batches[2].set_first_sequence(second);
  EXPECT_EQ(f.Commit(batches[0]).verdict, Verdict::kCommitted);
  const BatchResult result = f.Commit(batches[2]);
  EXPECT_EQ(result.verdict, Verdict::kRefused);
  EXPECT_THAT(result.reason,
              AllOf(HasSubstr("batch 3-4"), HasSubstr("does not follow the batch that ends at 2")));
  EXPECT_THAT(f.Stored(), ElementsAre(1, 2));
}

// Every byte of what is stored of a batch: altered on its way, it is not taken, or the next one shows it.
TEST(BatchChain, TEL3_TheControllerFindsEveryAlteredByte) {
  Fixture f;
  const std::vector<v1::Batch> batches = f.spool.All();
  ASSERT_EQ(f.Commit(batches[0]).verdict, Verdict::kCommitted);
  for (size_t i = 0; i < batches[1].payload().size(); ++i) {
    v1::Batch altered = batches[1];
    (*altered.mutable_payload())[i] = static_cast<char>(altered.payload()[i] ^ 1);
    const BatchResult result = f.Commit(altered);
    ASSERT_EQ(result.verdict, Verdict::kRefused) << "byte " << i;
    ASSERT_THAT(result.reason, HasSubstr("batch 3: the payload was altered")) << "byte " << i;
  }
  v1::Batch forged = batches[1];  // another payload with the hash that belongs to it
  forged.set_payload(batches[3].payload());
  forged.set_payload_sha256(batches[3].payload_sha256());
  ASSERT_EQ(f.Commit(forged).verdict, Verdict::kCommitted);
  const BatchResult next = f.Commit(batches[2]);
  EXPECT_EQ(next.verdict, Verdict::kRefused);
  EXPECT_THAT(next.reason, AllOf(HasSubstr("batch 5-6"), HasSubstr("one of them was altered or exchanged")));
}

TEST(BatchChain, TEL3_ABatchThatSaysItWasDroppedCannotHideThatItWasNot) {
  Fixture f;
  const std::vector<v1::Batch> batches = f.spool.All();
  ASSERT_EQ(f.Commit(batches[0]).verdict, Verdict::kCommitted);
  v1::Batch hidden = batches[1];
  hidden.clear_payload();
  hidden.set_dropped(v1::Gap::CAUSE_SPOOL_FULL);
  // The header keeps the chain whole, and the loss is told as a gap: nothing is lost silently (TEL-1).
  ASSERT_EQ(f.Commit(hidden).verdict, Verdict::kCommitted);
  uint64_t lost = 0;
  Must(f.store->QueryEvents({}, INT64_MAX, [&](v1::QueryEventsResponse&& event) {
    lost += event.event().gap().count();
    return true;
  }));
  EXPECT_EQ(lost, 2U);
}

// The host's own queue, altered on disk while the agent is not running.
class SpoolOnDisk : public ::testing::Test {
 protected:
  // Runs SQL on agent.db and opens the spool again.
  void Alter(const std::string& sql) {
    spool_.Crash();
    Must(Must(agent::OpenAgentDatabase(spool_.Settings().file, 0)).database.Execute(sql));
    spool_.Start();
  }
  // The one gap that says what was wrong; the damaged file is kept and a new chain begun.
  void ExpectSetAside(const std::string& what) {
    EXPECT_NE(spool_->ChainId(), chain_);
    EXPECT_THAT(spool_->SetAsideNotice(), HasSubstr("damaged"));
    ASSERT_THAT(spool_.Gaps(), SizeIs(1));
    EXPECT_EQ(spool_.Gaps()[0].cause(), v1::Gap::CAUSE_STATE_DAMAGED);
    EXPECT_TRUE(spool_.Gaps()[0].count_unknown());
    EXPECT_THAT(spool_.Gaps()[0].detail(), HasSubstr(what));
    EXPECT_EQ(testing::ChainFault(spool_.All()), "");
  }

  SpoolBox spool_;
  std::string chain_;

  void SetUp() override {
    Fill(spool_);
    chain_ = spool_->ChainId();
  }
};

TEST_F(SpoolOnDisk, TEL3_AWholeQueueIsFoundWhole) {  // the positive control of those below
  Alter("SELECT 1");
  EXPECT_EQ(spool_->ChainId(), chain_);
  EXPECT_EQ(spool_->SetAsideNotice(), "");
  EXPECT_EQ(spool_.Events().size(), 8U + 1U);  // and the gap of the unclean stop
}

TEST_F(SpoolOnDisk, TEL3_AMissingBatchIsNamed) {
  Alter("DELETE FROM payload WHERE id = 2; DELETE FROM batch WHERE id = 2");
  ExpectSetAside("chain is broken at batch 5");
}

TEST_F(SpoolOnDisk, TEL3_TheMissingEndIsSeen) {
  Alter("DELETE FROM payload WHERE id = 4; DELETE FROM batch WHERE id = 4");
  ExpectSetAside("end is not where it was");
}

TEST_F(SpoolOnDisk, TEL3_ReorderedBatchesAreNamed) {
  Alter(
      "UPDATE batch SET id = 100 WHERE id = 2; UPDATE batch SET id = 2 WHERE id = 3;"
      "UPDATE batch SET id = 3 WHERE id = 100");
  ExpectSetAside("chain is broken at batch 5");
}

TEST_F(SpoolOnDisk, TEL3_AnAlteredHeaderIsNamed) {
  // Another batch's content in the place of the second, numbered as the second was.
  v1::Batch forged = spool_.All()[1];
  forged.set_payload_sha256(Sha256("another"));
  forged.clear_payload();
  Alter(StrCat("UPDATE batch SET header = x'", HexEncode(forged.SerializeAsString()), "' WHERE id = 2"));
  ExpectSetAside("chain is broken at batch 5");
}

TEST_F(SpoolOnDisk, TEL3_AnAlteredPayloadIsToldAsLost) {
  Alter("UPDATE payload SET bytes = x'00' WHERE id = 2");
  EXPECT_EQ(spool_->ChainId(), chain_);
  const std::vector<v1::Batch> batches = spool_.All();
  EXPECT_EQ(batches[1].dropped(), v1::Gap::CAUSE_STATE_DAMAGED);
  EXPECT_EQ(batches[1].first_sequence(), 3U);
  EXPECT_EQ(batches[1].event_count(), 2U);
  EXPECT_EQ(batches[2].dropped(), v1::Gap::CAUSE_UNSPECIFIED);
  EXPECT_EQ(testing::ChainFault(batches), "");
}

}  // namespace
}  // namespace cordon
