// AUT-6: what one host has stored does not make the writer's transaction, which all share, longer.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>
#include <vector>

#include "controller/store/chain_rows.h"
#include "tests/support/store_box.h"
#include "tests/support/stored_chains.h"
#include "tests/support/test_batches.h"

namespace cordon {
namespace {

using controller::BatchResult;
using controller::HostBatch;
using testing::BatchChain;
using testing::Must;
using testing::StartedEvent;
using testing::StoreBox;

struct Fixture {
  StoreBox box;
  std::string host = box.AddHost("a");

  void Commit(const std::vector<v1::Batch>& batches) {
    std::vector<HostBatch> group;
    for (const v1::Batch& batch : batches) group.push_back({host, batch, false});
    for (const BatchResult& result : Must(box->CommitBatches(group)).batches)
      ASSERT_EQ(result.verdict, BatchResult::Verdict::kCommitted) << result.reason;
  }
  size_t StoredEvents() {
    size_t events = 0;
    Must(box->QueryEvents({}, INT64_MAX, [&](v1::QueryEventsResponse&& /*event*/) {
      ++events;
      return true;
    }));
    return events;
  }

  // Steps of SQLite's machine to look the batch up in the host's other chains.
  int Work(const v1::Batch& batch) {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open_v2(box.File().c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    int work = 0;
    for (const std::string_view sql : controller::kFindPayload) {
      sqlite3_stmt* statement = nullptr;
      EXPECT_EQ(sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement, nullptr),
                SQLITE_OK);
      const auto text = [&](int index, const std::string& value) {
        sqlite3_bind_text(statement, index, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
      };
      text(1, host);
      sqlite3_bind_blob(statement, 2, batch.payload_sha256().data(),
                        static_cast<int>(batch.payload_sha256().size()), SQLITE_TRANSIENT);
      sqlite3_bind_int64(statement, 3, batch.event_class());
      text(4, batch.chain_id());
      sqlite3_step(statement);
      work += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
      sqlite3_finalize(statement);
    }
    sqlite3_close(database);
    return work;
  }
};

constexpr int kBatches = 3'000;
constexpr int kMostWork = 100;  // of two searches; the scan of one row takes about ten

// All at one time, in the chain before and in the present one, with new and with equal payloads.
TEST(ChainWork, AUT6_AHostThatBeganAnewIsLookedUpInFewStepsWhateverItHasStored) {
  Fixture f;
  BatchChain old(f.host);
  std::vector<v1::Batch> batches;
  const v1::Batch first = old.Next({StartedEvent(1)});
  batches.push_back(first);
  for (int i = 0; i < kBatches; ++i) batches.push_back(old.Next({StartedEvent(1)}));
  f.Commit(batches);
  BatchChain present(f.host);
  batches.clear();
  for (uint32_t pid = 2; pid < kBatches; ++pid) batches.push_back(present.Next({StartedEvent(pid)}));
  for (int i = 0; i < kBatches; ++i) batches.push_back(present.Next({StartedEvent(7)}));
  f.Commit(batches);
  EXPECT_LE(f.Work(present.Next({StartedEvent(kBatches + 1)})), kMostWork) << "one that is nowhere";
  EXPECT_LE(f.Work(present.Next({StartedEvent(7)})), kMostWork) << "one that this chain has often";
  EXPECT_LE(f.Work(present.Next({StartedEvent(1)})), kMostWork) << "one that the chain before has often";
}

// The positive control: what is looked up is found.
TEST(ChainWork, TEL2_WhatIsInAnyOtherChainIsFoundAndWhatOnlyThisOneHasIsStored) {
  Fixture f;
  for (int chains = 0; chains < 4; ++chains) {  // of names before and after one another
    BatchChain chain(f.host);
    f.Commit({chain.Next({StartedEvent(1)}), chain.Next({StartedEvent(2)}), chain.Next({StartedEvent(1)})});
  }
  EXPECT_EQ(f.StoredEvents(), 3U) << "those of the first chain";
}

}  // namespace
}  // namespace cordon
