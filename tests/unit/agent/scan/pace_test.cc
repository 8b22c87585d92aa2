#include "agent/scan/pace.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
using platform::LoadReadings;

// Time goes on in steps; `stalls` is the share of each step in which something waited for storage.
class Machine {
 public:
  Pace After(int64_t seconds, double stalls) {
    now_ += seconds * kSecond;
    io_ += static_cast<int64_t>(static_cast<double>(seconds * kSecond) * stalls);
    readings.io_stall_nanos = io_;
    return maker_.Next(readings, now_);
  }

  LoadReadings readings;

 private:
  PaceMaker maker_;
  int64_t now_ = 1000 * kSecond;
  int64_t io_ = 0;
};

TEST(Pace, WhatIsNotToldHasNoEffect) {
  PaceMaker maker;
  for (int64_t at = 0; at < 100; at += 5) EXPECT_EQ(maker.Next({}, at * kSecond), Pace::kFull);
}

TEST(Pace, BatteryAndPeopleSlowItDown) {
  struct Row {
    std::optional<bool> on_battery;
    std::optional<bool> user_active;
    Pace pace;
  };
  for (const Row& row :
       {Row{{}, {}, Pace::kFull}, Row{false, false, Pace::kFull}, Row{true, false, Pace::kSlow},
        Row{false, true, Pace::kSlow}, Row{true, {}, Pace::kSlow}, Row{true, true, Pace::kSlow}}) {
    LoadReadings readings;
    readings.on_battery = row.on_battery;
    readings.user_active = row.user_active;
    EXPECT_EQ(PaceMaker().Next(readings, 0), row.pace);
  }
}

TEST(Pace, EveryKindOfPressureCounts) {
  for (auto LoadReadings::* stall :
       {&LoadReadings::cpu_stall_nanos, &LoadReadings::io_stall_nanos, &LoadReadings::memory_stall_nanos}) {
    PaceMaker maker;
    LoadReadings readings;
    readings.*stall = 0;
    EXPECT_EQ(maker.Next(readings, 0), Pace::kFull);
    readings.*stall = 2 * kSecond;
    EXPECT_EQ(maker.Next(readings, 5 * kSecond), Pace::kRest);
  }
}

TEST(Pace, OthersInNeedAreWaitedFor) {
  Machine machine;
  EXPECT_EQ(machine.After(5, 0), Pace::kFull);
  EXPECT_EQ(machine.After(5, 0.5), Pace::kRest);
  EXPECT_EQ(machine.After(5, 0.4), Pace::kRest);  // without the scan it is no better
  EXPECT_EQ(machine.After(5, 0.15), Pace::kRest);
  EXPECT_EQ(machine.After(5, 0.05), Pace::kFull);
}

TEST(Pace, WhatTheScanItselfCausesDoesNotHoldItUpForLong) {
  Machine machine;
  EXPECT_EQ(machine.After(5, 0), Pace::kFull);
  EXPECT_EQ(machine.After(5, 0.9), Pace::kRest);
  EXPECT_EQ(machine.After(5, 0.0), Pace::kFull);  // it was the scan
  for (int i = 0; i < 5; ++i) EXPECT_EQ(machine.After(5, 0.9), Pace::kFull) << i;
  EXPECT_EQ(machine.After(5, 0.9), Pace::kRest);  // looked at again
}

TEST(Pace, ItEndsOneDayOnAMachineThatNeverRests) {
  Machine machine;
  machine.After(5, 0);
  int rest = 0;
  int work = 0;
  for (int i = 0; i < 200; ++i) {
    const Pace pace = machine.After(5, 0.8);
    (pace == Pace::kRest ? rest : work) += 1;
    EXPECT_NE(pace, Pace::kFull);
  }
  EXPECT_GT(work, 10);
  EXPECT_GT(rest, work);
}

TEST(Pace, ReadingsThatAreTooNearArePassedOver) {
  Machine machine;
  EXPECT_EQ(machine.After(5, 0), Pace::kFull);
  EXPECT_EQ(machine.After(1, 1), Pace::kFull);
  EXPECT_EQ(machine.After(4, 1), Pace::kRest);
}

}  // namespace
}  // namespace cordon::agent
