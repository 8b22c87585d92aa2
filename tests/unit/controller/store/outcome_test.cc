#include "controller/store/outcome.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string_view>

#include "common/wire/order.h"

namespace cordon::controller {
namespace {

using v1::OrderOutcome;
using State = OrderOutcome::State;

constexpr std::array kStates = {OrderOutcome::STATE_PENDING,    OrderOutcome::STATE_DELIVERED,
                                OrderOutcome::STATE_RUNNING,    OrderOutcome::STATE_DONE,
                                OrderOutcome::STATE_REFUSED,    OrderOutcome::STATE_FAILED,
                                OrderOutcome::STATE_SUPERSEDED, OrderOutcome::STATE_EXPIRED,
                                OrderOutcome::STATE_CANCELLED,  OrderOutcome::STATE_GOING_DARK};

std::set<State> After(State from, std::string_view lane = kScanLane) {
  std::set<State> after;
  for (const State to : kStates) {
    if (MayBecome(lane, from, to)) after.insert(to);
  }
  return after;
}

TEST(MayBecome, WhatAHostSaidIsFinal) {
  for (const State last :
       {OrderOutcome::STATE_DONE, OrderOutcome::STATE_FAILED, OrderOutcome::STATE_CANCELLED}) {
    EXPECT_EQ(After(last), std::set<State>());
  }
}

// The host tries it again by itself: a full disk passes.
TEST(MayBecome, WhatFailedToIsolateOrToChangeTrustMayYetBeDone) {
  for (const std::string_view lane : {kIsolationLane, kTrustLane})
    EXPECT_EQ(After(OrderOutcome::STATE_FAILED, lane), std::set<State>({OrderOutcome::STATE_DONE})) << lane;
  for (const std::string_view lane : {kScanLane, kPolicyLane})
    EXPECT_EQ(After(OrderOutcome::STATE_FAILED, lane), std::set<State>()) << lane;
  EXPECT_EQ(After(OrderOutcome::STATE_DONE, kIsolationLane), std::set<State>()) << "and not back";
}

// A change of trust that came out of turn is sent again.
TEST(MayBecome, WhatAHostRefusedItMayYetDo) {
  EXPECT_EQ(After(OrderOutcome::STATE_REFUSED), std::set<State>({OrderOutcome::STATE_DONE}));
}

TEST(MayBecome, WhatTheControllerConcludedYieldsToTheHostsLateWord) {
  const std::set<State> late = {OrderOutcome::STATE_RUNNING,   OrderOutcome::STATE_DONE,
                                OrderOutcome::STATE_REFUSED,   OrderOutcome::STATE_FAILED,
                                OrderOutcome::STATE_CANCELLED, OrderOutcome::STATE_GOING_DARK};
  EXPECT_EQ(After(OrderOutcome::STATE_EXPIRED), late);
  EXPECT_EQ(After(OrderOutcome::STATE_SUPERSEDED), late);
}

TEST(MayBecome, ProgressMovesWhileItRuns) {
  EXPECT_TRUE(MayBecome(kScanLane, OrderOutcome::STATE_RUNNING, OrderOutcome::STATE_RUNNING));
  EXPECT_FALSE(MayBecome(kScanLane, OrderOutcome::STATE_DELIVERED, OrderOutcome::STATE_DELIVERED));
  EXPECT_FALSE(MayBecome(kScanLane, OrderOutcome::STATE_RUNNING, OrderOutcome::STATE_EXPIRED));
}

// It says what became of the order when it is reached again: that another one came first, too.
TEST(MayBecome, TheLastWordOfAHostThatGoesDarkIsNoEnd) {
  EXPECT_EQ(
      After(OrderOutcome::STATE_GOING_DARK),
      std::set<State>({OrderOutcome::STATE_DONE, OrderOutcome::STATE_REFUSED, OrderOutcome::STATE_FAILED,
                       OrderOutcome::STATE_SUPERSEDED, OrderOutcome::STATE_CANCELLED}));
}

TEST(MayBecome, NothingGoesBack) {
  for (const State from : kStates)
    EXPECT_FALSE(MayBecome(kScanLane, from, OrderOutcome::STATE_PENDING)) << from;
  EXPECT_EQ(After(OrderOutcome::STATE_PENDING).size(), kStates.size() - 1);
}

TEST(MayBecome, AStateThatIsNoneIsNeitherLeftNorReached) {
  EXPECT_FALSE(MayBecome(kScanLane, OrderOutcome::STATE_PENDING, OrderOutcome::STATE_UNSPECIFIED));
  EXPECT_FALSE(MayBecome(kScanLane, OrderOutcome::STATE_PENDING, static_cast<State>(99)));
  EXPECT_FALSE(MayBecome(kScanLane, static_cast<State>(99), OrderOutcome::STATE_DONE));
}

TEST(IsFinal, WhenNoMoreWordIsExpected) {
  std::set<State> open;
  for (const State state : kStates) {
    if (!IsFinal(state)) open.insert(state);
  }
  EXPECT_EQ(open, std::set<State>({OrderOutcome::STATE_PENDING, OrderOutcome::STATE_DELIVERED,
                                   OrderOutcome::STATE_RUNNING, OrderOutcome::STATE_GOING_DARK}));
}

}  // namespace
}  // namespace cordon::controller
