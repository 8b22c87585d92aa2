#include "platform/windows/processes/same_process.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

constexpr uint64_t kMilli = 10'000;  // of 100 ns
constexpr uint64_t kTold = 133'000'000'000'000'000;

TEST(SameProcess, AnEventIsToldOfAProcessThatHasStarted) {
  EXPECT_TRUE(CanBeOf(kTold - 2 * kMilli, kTold));
  EXPECT_TRUE(CanBeOf(kTold - 3'600'000 * kMilli, kTold)) << "it ran when the session began";
  EXPECT_TRUE(CanBeOf(kTold + 15 * kMilli, kTold)) << "a step of the clock";
}

TEST(SameProcess, TheNextProcessWithThePidIsAnother) {
  EXPECT_FALSE(CanBeOf(kTold + 20 * kMilli, kTold));
  EXPECT_FALSE(CanBeOf(kTold + 900 * kMilli, kTold));
}

TEST(SameProcess, AParentIsNotYounger) {
  const std::map<uint32_t, ProcessKey> known = {{10, {10, 1'000}}, {20, {20, 5'000}}};
  EXPECT_EQ(ParentOf({30, 2'000}, 10, known), (ProcessKey{10, 1'000}));
  EXPECT_EQ(ParentOf({30, 1'000}, 10, known), (ProcessKey{10, 1'000})) << "in the same step of the clock";
  EXPECT_EQ(ParentOf({30, 2'000}, 20, known), ProcessKey{}) << "20 has been given away since";
  EXPECT_EQ(ParentOf({30, 2'000}, 40, known), ProcessKey{});
}

}  // namespace
}  // namespace cordon::platform
