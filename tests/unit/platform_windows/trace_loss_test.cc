#include "platform/windows/system/trace_loss.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

void ExpectLoss(const std::optional<RawLoss>& loss, uint64_t count, int64_t first, int64_t last) {
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->count, count);
  EXPECT_EQ(loss->first_boottime_nanos, first);
  EXPECT_EQ(loss->last_boottime_nanos, last);
}

class TraceLossTest : public ::testing::Test {
 protected:
  TraceLossTest() { loss_.Begin(100); }
  TraceLoss loss_;
};

TEST_F(TraceLossTest, TEL1_EachLossIsToldOnceWithItsTime) {
  EXPECT_FALSE(loss_.Look(0, 200).has_value());
  ExpectLoss(loss_.Look(7, 300), 7, 200, 300);
  EXPECT_FALSE(loss_.Look(7, 400).has_value());
  ExpectLoss(loss_.Look(12, 500), 5, 400, 500);
}

TEST_F(TraceLossTest, TEL1_ASessionThatDoesNotAnswerHidesNoLoss) {
  ExpectLoss(loss_.Look(3, 200), 3, 100, 200);
  EXPECT_FALSE(loss_.Look(std::nullopt, 300).has_value());
  EXPECT_FALSE(loss_.Look(std::nullopt, 400).has_value());
  ExpectLoss(loss_.Look(4, 500), 1, 200, 500);
}

TEST_F(TraceLossTest, TEL1_BetweenTwoSessionsNobodyKnowsHowMuch) {
  ExpectLoss(loss_.Look(50, 200), 50, 100, 200);
  ExpectLoss(loss_.BeginAnew(900), 0, 200, 900);
  EXPECT_FALSE(loss_.Look(0, 950).has_value());
  ExpectLoss(loss_.Look(2, 1'000), 2, 950, 1'000);
}

TEST_F(TraceLossTest, TEL1_TheNewSessionsFirstCountIsALossOfItsOwn) {
  ExpectLoss(loss_.Look(50, 200), 50, 100, 200);
  loss_.BeginAnew(300);
  ExpectLoss(loss_.Look(50, 400), 50, 300, 400);
}

}  // namespace
}  // namespace cordon::platform
