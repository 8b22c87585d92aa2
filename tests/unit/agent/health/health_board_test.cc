#include "agent/health/health_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_sink.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

// A part that is as it is told to be, and whose proof takes as long as it is told to.
class Part final : public HealthPart {
 public:
  std::string Name() const override { return "cordon.link"; }
  void Prove() override {
    ++begun;
    while (hangs) std::this_thread::sleep_for(1ms);
    if (comes_up_by_proof) up = true;
  }
  PartState State() const override {
    return {.serving = up, .detail = up ? "" : "not connected", .last_proof_unix_nanos = 1};
  }
  std::atomic<bool> up = false;
  std::atomic<bool> hangs = false;
  std::atomic<bool> comes_up_by_proof = false;
  std::atomic<int> begun = 0;
};

class Board : public ::testing::Test {
 protected:
  void Start(std::chrono::milliseconds answer_within, std::chrono::milliseconds look_every = 2ms) {
    board_ = std::make_unique<HealthBoard>(
        HealthBoard::Parts{
            .clock = clock_,
            .events = events_,
            .parts = {&part_},
            .publish = [this](const std::string&, bool serving) { published_ = serving ? 1 : 0; },
            .complete = [](v1::HealthReport*) {},
            .agent_version = "1"},
        HealthSettings{.interval = 1h, .answer_within = answer_within, .look_every = look_every});
    board_->Start();
  }
  ~Board() override {
    part_.hangs = false;
    if (board_) board_->Stop();
  }
  // A board whose part is up and has proven it.
  void StartProven() {
    part_.up = true;
    Start(10s);
    ASSERT_TRUE(Told(true));
  }
  std::future<v1::HealthReport> ProveAll(std::chrono::milliseconds deadline) {
    const auto promise = std::make_shared<std::promise<v1::HealthReport>>();
    board_->ProveAll(deadline, [promise](v1::HealthReport report) { promise->set_value(std::move(report)); });
    return promise->get_future();
  }
  bool Told(bool serving) {
    return events_.WaitFor([&](const v1::Event& event) { return event.part_changed().serving() == serving; });
  }
  std::vector<bool> AllTold() const {
    std::vector<bool> told;
    for (const auto& recorded : events_.Events()) told.push_back(recorded.event.part_changed().serving());
    return told;
  }

  testing::FakeClock clock_;
  testing::RecordingSink events_;
  Part part_;
  std::atomic<int> published_ = -1;
  std::unique_ptr<HealthBoard> board_;
};

TEST_F(Board, APartThatComesUpIsNoNewsUntilItIsUp) {
  Start(10s);
  while (published_ != 0) std::this_thread::yield();  // stock tools are told from the first moment
  std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(events_.Events().empty());
  part_.up = true;
  ASSERT_TRUE(Told(true));
  EXPECT_EQ(published_, 1);
  part_.up = false;
  ASSERT_TRUE(Told(false)) << "once it was up, its end is news at once";
  EXPECT_THAT(AllTold(), ElementsAre(true, false));
}

TEST_F(Board, APartThatDoesNotComeUpInTimeIsTold) {
  Start(30ms);
  ASSERT_TRUE(Told(false));
  part_.up = true;
  ASSERT_TRUE(Told(true));
  EXPECT_THAT(AllTold(), ElementsAre(false, true));
}

// Looks are seldom, since each of them wakes a thread on a host where nothing happens.
TEST_F(Board, WhatAProofFindsIsToldWithoutWaitingForTheNextLook) {
  part_.comes_up_by_proof = true;
  part_.hangs = true;
  Start(10s, /*look_every=*/1h);
  while (part_.begun == 0 || published_ != 0) std::this_thread::yield();
  std::this_thread::sleep_for(50ms);  // its first look is over
  part_.hangs = false;
  ASSERT_TRUE(Told(true));
  EXPECT_EQ(published_, 1);
}

TEST_F(Board, WhoAsksForProofsIsAnsweredByProofsThatBeganThen) {
  StartProven();
  const int begun = part_.begun;
  v1::HealthReport report = ProveAll(20s).get();
  EXPECT_GT(part_.begun, begun);
  ASSERT_EQ(report.parts_size(), 1);
  EXPECT_TRUE(report.parts(0).serving()) << report.parts(0).detail();
  part_.up = false;  // what the next proof finds
  report = ProveAll(20s).get();
  EXPECT_FALSE(report.parts(0).serving());
  EXPECT_EQ(report.parts(0).detail(), "not connected");
}

TEST_F(Board, APartWhoseProofStillRunsAtTheDeadlineIsNotServing) {
  StartProven();
  part_.hangs = true;
  const v1::HealthReport report = ProveAll(50ms).get();
  ASSERT_EQ(report.parts_size(), 1);
  EXPECT_FALSE(report.parts(0).serving()) << "what it said before is no proof";
  EXPECT_THAT(report.parts(0).detail(), ::testing::HasSubstr("has not ended within"));
  EXPECT_TRUE(board_->Report().parts(0).serving()) << "by the schedule it still has time";
  part_.hangs = false;
  EXPECT_TRUE(ProveAll(20s).get().parts(0).serving());
}

// Proofs that have ended before they were asked for are none: asking and looking go on at the same time.
TEST_F(Board, NoAnswerComesBeforeItsProofs) {
  StartProven();
  for (int i = 0; i < 500; ++i) {
    const int begun = part_.begun;
    ASSERT_TRUE(ProveAll(20s).get().parts(0).serving());
    ASSERT_GT(part_.begun, begun) << "round " << i;
  }
}

}  // namespace
}  // namespace cordon::agent
