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

TEST(IsolationState, SurvivesItsFile) {
  v1::IsolationState state;
  state.set_order_id("an order");
  state.set_sequence(7);
  *state.mutable_action() = testing::Isolate(v1::LEVEL_DARK);
  const auto read = DecodeState(EncodeState(state));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), state.SerializeAsString());
}

// An older program must not take such a state for the order alone, which may be lower.
TEST(IsolationState, ISO5_WithWhatTheHostTookByItselfIsOfAnotherVersion) {
  v1::IsolationState state;
  EXPECT_EQ(EncodeState(state).substr(0, 26), "cordon-isolation-state-v1\n");
  state.mutable_by_itself()->mutable_allowed()->set_level(v1::LEVEL_ESSENTIAL);
  const std::string bytes = EncodeState(state);
  EXPECT_EQ(bytes.substr(0, 26), "cordon-isolation-state-v2\n");
  const auto read = DecodeState(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), state.SerializeAsString());
}

TEST(IsolationState, EveryCutAndEveryAlteredByteIsNoticed) {
  v1::IsolationState state;
  state.set_order_id("an order");
  const std::string bytes = EncodeState(state);
  for (size_t at = 0; at < bytes.size(); ++at) {
    EXPECT_FALSE(DecodeState(bytes.substr(0, at)).ok()) << at;
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 0x20);
    EXPECT_FALSE(DecodeState(altered).ok()) << at;
  }
  EXPECT_FALSE(DecodeState(bytes + "x").ok());
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
