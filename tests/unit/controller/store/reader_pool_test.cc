#include "controller/store/reader_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

using testing::IsOk;
using testing::Must;
using testing::TempFolder;

struct Fixture {
  TempFolder folder;
  std::filesystem::path file = folder / "store.db";
  Database writer = Must(Database::Open(file, Database::Durability::kNormal));

  Fixture() { Must(writer.Execute("CREATE TABLE t(n INTEGER); INSERT INTO t VALUES(7)")); }
};

TEST(ReaderPool, DoesNotOpenWhatIsNotThere) {
  TempFolder folder;
  EXPECT_FALSE(ReaderPool::Open(folder / "missing.db", 2).ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "missing.db"));
}

TEST(ReaderPool, LendsConnectionsThatReadAndCannotWrite) {
  Fixture f;
  const auto pool = Must(ReaderPool::Open(f.file, 1));
  ReaderPool::Lease reader = pool->Borrow();
  Statement query = Must(reader->Prepare("SELECT n FROM t"));
  EXPECT_TRUE(Must(query.Step()));
  EXPECT_EQ(query.Int(0), 7);
  query.Reset();
  EXPECT_FALSE(reader->Execute("INSERT INTO t VALUES(8)").ok());
  EXPECT_THAT(f.writer.Execute("INSERT INTO t VALUES(8)"), IsOk());  // the positive control
}

TEST(ReaderPool, TheNextWaitsUntilOneIsGivenBack) {
  Fixture f;
  const auto pool = Must(ReaderPool::Open(f.file, 2));
  std::optional<ReaderPool::Lease> first;
  first.emplace(*pool, Database(Must(Database::OpenReadOnly(f.file))));  // gives a third one back
  const ReaderPool::Lease second = pool->Borrow();
  const ReaderPool::Lease third = pool->Borrow();
  std::atomic<bool> got = false;
  std::thread waiter([&] {
    const ReaderPool::Lease reader = pool->Borrow();
    got = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(got);
  first.reset();
  waiter.join();
  EXPECT_TRUE(got);
}

TEST(ReaderPool, ServesMoreThreadsThanItHasConnections) {
  Fixture f;
  const auto pool = Must(ReaderPool::Open(f.file, 2));
  std::atomic<int> read = 0;
  std::vector<std::thread> threads;
  threads.reserve(16);
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 20; ++turn) {
        ReaderPool::Lease reader = pool->Borrow();
        Statement query = Must(reader->Prepare("SELECT n FROM t"));
        if (Must(query.Step()) && query.Int(0) == 7) ++read;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(read, 16 * 20);
}

}  // namespace
}  // namespace cordon::controller
