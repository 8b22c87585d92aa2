#include "agent/health/health_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_sink.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

// A part that is as it is told to be.
class Part final : public HealthPart {
 public:
  std::string Name() const override { return "cordon.link"; }
  void Prove() override {}
  PartState State() const override {
    return {.serving = up, .detail = up ? "" : "not connected", .last_proof_unix_nanos = 1};
  }
  std::atomic<bool> up = false;
};

class Board : public ::testing::Test {
 protected:
  void Start(std::chrono::milliseconds answer_within) {
    board_ = std::make_unique<HealthBoard>(
        HealthBoard::Parts{
            .clock = clock_,
            .events = events_,
            .parts = {&part_},
            .publish = [this](const std::string&, bool serving) { published_ = serving ? 1 : 0; },
            .complete = [](v1::HealthReport*) {},
            .agent_version = "1"},
        HealthSettings{.interval = 1s, .answer_within = answer_within, .look_every = 2ms});
    board_->Start();
  }
  ~Board() override {
    if (board_) board_->Stop();
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

}  // namespace
}  // namespace cordon::agent
