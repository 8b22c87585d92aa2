#include "agent/isolation/state.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/support/actions.h"

namespace cordon::agent {
namespace {

constexpr int64_t kHour = 3600 * kNanosPerSecond;

v1::IsolationState Leased(const Clock& clock, int64_t seconds) {
  v1::IsolationState state;
  *state.mutable_action() = testing::WithLease(testing::Isolate(v1::LEVEL_ESSENTIAL), seconds);
  StartLease(&state, "boot-1", clock);
  return state;
}

TEST(Lease, CountsOnTheBootTimeClockAlone) {
  testing::FakeClock clock;
  v1::IsolationState state = Leased(clock, 7200);
  clock.SetWall(0);
  clock.Advance(kHour);
  CountTime(&state, "boot-1", clock);
  EXPECT_EQ(LeaseRemaining(state), kHour);
  EXPECT_FALSE(LeaseEnded(state));
  clock.SetWall(4'000'000'000 * kNanosPerSecond);
  CountTime(&state, "boot-1", clock);
  EXPECT_EQ(LeaseRemaining(state), kHour) << "the wall clock went ahead and nothing else";
  clock.Advance(2 * kHour);
  CountTime(&state, "boot-1", clock);
  EXPECT_TRUE(LeaseEnded(state));
}

TEST(Lease, GoesOnAfterAReboot) {
  testing::FakeClock clock;
  v1::IsolationState state = Leased(clock, 7200);
  clock.Advance(kHour);
  CountTime(&state, "boot-1", clock);
  clock.Reboot();
  clock.Advance(kHour / 2);
  CountTime(&state, "boot-2", clock);
  EXPECT_EQ(LeaseRemaining(state), kHour / 2);
}

TEST(Lease, NoneNeverEnds) {
  v1::IsolationState state;
  EXPECT_FALSE(HasLease(state));
  EXPECT_FALSE(LeaseEnded(state));
}

}  // namespace
}  // namespace cordon::agent
