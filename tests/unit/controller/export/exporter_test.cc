#include "controller/export/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <set>

#include "common/base/hex.h"
#include "common/base/strings.h"
#include "controller/export/file_sink.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"
#include "tests/support/test_batches.h"

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using testing::Must;
using testing::StartedEvent;
using testing::StoreBox;

// Takes lines, or refuses them for as long as it is told to.
class FakeSink final : public ExportSink {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> uids;
    int failures_left = 0;
    int calls = 0;
    size_t longest_write = 0;               // bytes
    std::vector<std::string> without_rest;  // uids of lines that leave something out
  };
  explicit FakeSink(std::shared_ptr<State> state) : state_(std::move(state)) {}

  absl::Status Write(std::span<const std::string> lines) override {
    const std::lock_guard lock(state_->mutex);
    ++state_->calls;
    state_->changed.notify_all();
    if (state_->failures_left > 0) {
      --state_->failures_left;
      return absl::UnavailableError("the disk is full");
    }
    size_t bytes = 0;
    for (const std::string& line : lines) bytes += line.size();
    state_->longest_write = std::max(state_->longest_write, bytes);
    for (const std::string& line : lines) {
      const boost::json::value parsed = boost::json::parse(line);
      state_->uids.emplace_back(parsed.at("metadata").at("uid").as_string().c_str());
      if (parsed.at("unmapped").as_object().contains("left_out"))
        state_->without_rest.push_back(state_->uids.back());
    }
    return absl::OkStatus();
  }
  const std::string& Name() const override { return name_; }

 private:
  std::shared_ptr<State> state_;
  std::string name_ = "fake";
};

struct Fixture {
  StoreBox box;
  std::string host = box.AddHost("front-desk");
  testing::TempFolder folder;
  std::shared_ptr<FakeSink::State> sink = std::make_shared<FakeSink::State>();
  testing::BatchChain chain{host};

  // Stores `count` process starts as one batch.
  void Happen(int count) {
    std::vector<v1::Event> events;
    for (int i = 0; i < count; ++i) events.push_back(StartedEvent(static_cast<uint32_t>(i + 1)));
    const std::vector<HostBatch> group = {{host, chain.Next(events)}};
    ASSERT_EQ(Must(box->CommitBatches(group)).batches.at(0).verdict, BatchResult::Verdict::kCommitted);
  }

  // Notes something about the host in the audit log; what metadata.uid of its line is.
  std::string Note(const std::string& action) {
    Must(box->AppendAudit({"controller", action, host, "by a test"}));
    return HexEncode(box.Audit().back().hash());
  }

  std::unique_ptr<Exporter> Start() {
    return Must(Exporter::Start(*box, std::make_unique<FakeSink>(sink), folder / "position", "1.0"));
  }
  bool Wait(size_t lines) {
    std::unique_lock lock(sink->mutex);
    return sink->changed.wait_for(lock, std::chrono::seconds(20), [&] { return sink->uids.size() >= lines; });
  }
  // What the sink has, once nobody writes to it any more.
  const std::vector<std::string>& Uids() const { return sink->uids; }
};

TEST(Exporter, CarriesEveryEventOnceAndInOrder) {
  Fixture f;
  f.Happen(2'500);
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(2'500));
  f.Happen(3);
  ASSERT_TRUE(f.Wait(2'503));
  exporter->Stop();
  ASSERT_EQ(f.Uids().size(), 2'503U);
  for (size_t i = 0; i < f.Uids().size(); ++i) ASSERT_EQ(f.Uids()[i], StrCat(f.host, "/", i + 1));
}

TEST(Exporter, GoesOnWhereItsLastRunCameTo) {
  Fixture f;
  f.Happen(5);
  std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(5));
  exporter->Stop();
  f.Happen(2);
  exporter = f.Start();
  ASSERT_TRUE(f.Wait(7));
  exporter->Stop();
  EXPECT_EQ(f.Uids().size(), 7U);
  EXPECT_EQ(f.Uids().back(), StrCat(f.host, "/7"));
}

TEST(Exporter, GivesTheSameLinesAgainAfterASinkFailed) {
  Fixture f;
  f.Happen(4);
  f.sink->failures_left = 1;
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(4));
  exporter->Stop();
  EXPECT_GE(f.sink->calls, 2);
  EXPECT_EQ(f.Uids().size(), 4U);
}

TEST(Exporter, AUT6_HoldsNoMoreThanSomeMegabytesOfLines) {
  Fixture f;
  v1::Event event = StartedEvent(1);
  event.mutable_process_started()->set_cwd(std::string(1024 * 1024, 'x'));
  for (int i = 0; i < 20; ++i) {
    const std::vector<HostBatch> group = {{f.host, f.chain.Next({event, event, event, event, event})}};
    ASSERT_EQ(Must(f.box->CommitBatches(group)).batches.at(0).verdict, BatchResult::Verdict::kCommitted);
  }
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(100));
  exporter->Stop();
  EXPECT_GT(f.sink->longest_write, 1024U * 1024U);
  EXPECT_LE(f.sink->longest_write, 8U * 1024U * 1024U);
}

// A byte of an event may take six in JSON, and an empty message much more.
TEST(Exporter, AUT6_AnEventOfAHugeLineIsToldWithoutItsRestAndHoldsUpNothing) {
  Fixture f;
  v1::Event huge = StartedEvent(2);
  huge.mutable_process_started()->set_cgroup(std::string(1'000'000, '\x01'));
  const std::vector<HostBatch> group = {{f.host, f.chain.Next({StartedEvent(1), huge, StartedEvent(3)})}};
  ASSERT_EQ(Must(f.box->CommitBatches(group)).batches.at(0).verdict, BatchResult::Verdict::kCommitted);
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(3));
  exporter->Stop();
  EXPECT_THAT(f.Uids(), ElementsAre(StrCat(f.host, "/1"), StrCat(f.host, "/2"), StrCat(f.host, "/3")));
  EXPECT_THAT(f.sink->without_rest, ElementsAre(StrCat(f.host, "/2")));
  EXPECT_LT(f.sink->longest_write, 100'000U);
}

TEST(Exporter, ManyBatchesAreCarriedWithoutAPauseBetweenThem) {
  Fixture f;
  for (int i = 0; i < 300; ++i) f.Happen(1);
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(300));
  exporter->Stop();
  for (size_t i = 0; i < f.Uids().size(); ++i) ASSERT_EQ(f.Uids()[i], StrCat(f.host, "/", i + 1));
}

TEST(Exporter, BeginsAgainWhenTheStoreWasSetBack) {
  Fixture f;
  f.Happen(3);
  std::ofstream(f.folder / "position") << "1000\n";
  const std::unique_ptr<Exporter> exporter = f.Start();
  EXPECT_TRUE(f.Wait(3));
  exporter->Stop();
}

TEST(Exporter, CarriesWhatTheControllerFoundAboutHostsOnce) {
  Fixture f;
  const std::string before = f.Note("session.cloned");
  f.Note("order.submit");  // no notice
  f.Happen(1);
  std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(2));
  const std::string meanwhile = f.Note("host.held_back");
  ASSERT_TRUE(f.Wait(3));
  exporter->Stop();
  const std::string away = f.Note("session.second");
  f.box.Crash();
  f.box.Start();
  exporter = f.Start();
  ASSERT_TRUE(f.Wait(4));
  f.Happen(1);  // behind a line that comes twice, if one does
  ASSERT_TRUE(f.Wait(5));
  exporter->Stop();
  EXPECT_THAT(f.Uids(), ElementsAre(before, StrCat(f.host, "/1"), meanwhile, away, StrCat(f.host, "/2")));
}

TEST(Exporter, TellsNoticesAgainThatASinkDidNotTake) {
  Fixture f;
  const std::string uid = f.Note("session.cloned");
  f.sink->failures_left = 1;
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(1));
  exporter->Stop();
  EXPECT_THAT(f.Uids(), ElementsAre(uid));
  EXPECT_GE(f.sink->calls, 2);
}

TEST(Exporter, TellsNoticesAgainWhenTheAuditLogWasSetBack) {
  Fixture f;
  const std::string uid = f.Note("session.cloned");
  std::ofstream(f.folder / "position") << "0\n1000\n";
  const std::unique_ptr<Exporter> exporter = f.Start();
  EXPECT_TRUE(f.Wait(1));
  exporter->Stop();
  EXPECT_THAT(f.Uids(), ElementsAre(uid));
}

TEST(Exporter, APositionOfAnOlderVersionHasToldEventsAndNoNotices) {
  Fixture f;
  f.Happen(1);
  const std::string uid = f.Note("session.cloned");
  std::ofstream(f.folder / "position") << "1\n";
  const std::unique_ptr<Exporter> exporter = f.Start();
  ASSERT_TRUE(f.Wait(1));
  f.Happen(1);
  ASSERT_TRUE(f.Wait(2));
  exporter->Stop();
  EXPECT_THAT(f.Uids(), ElementsAre(uid, StrCat(f.host, "/2")));
}

TEST(Exporter, ADamagedPositionIsToldAndNotGuessed) {
  Fixture f;
  for (const char* bad :
       {"", "x\n", "-3\n", "12", "99999999999999999999\n", "3\nx\n", "3\n4", "3\n4\n5\n", "3\n-4\n"}) {
    std::ofstream(f.folder / "position") << bad;
    EXPECT_THAT(Exporter::Start(*f.box, std::make_unique<FakeSink>(f.sink), f.folder / "position", "1.0"),
                Fails(absl::StatusCode::kDataLoss, "position is damaged"))
        << bad;
  }
}

}  // namespace
}  // namespace cordon::controller
