#include "controller/server/batch_window.h"

#include <gtest/gtest.h>

namespace cordon::controller {
namespace {

// A batch that was committed meanwhile makes room, and must not let the next read overtake the one before.
TEST(BatchWindow, TEL3_NothingIsReadBeforeTheBatchBeforeItIsQueued) {
  BatchWindow window(4);
  ASSERT_TRUE(window.MayRead(1));
  window.Read(0);
  window.Queued();
  ASSERT_TRUE(window.MayRead(1));  // the positive control
  window.Read(0);
  EXPECT_FALSE(window.Committed());  // the first one, on the commit thread
  EXPECT_FALSE(window.MayRead(1)) << "the second one is read and not yet queued";
  window.Queued();
  EXPECT_TRUE(window.MayRead(1));
}

TEST(BatchWindow, IsFullUntilTheStoreHasOne) {
  BatchWindow window(2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(window.MayRead(1));
    window.Read(0);
    window.Queued();
  }
  EXPECT_FALSE(window.MayRead(1));
  EXPECT_FALSE(window.Committed());
  EXPECT_TRUE(window.MayRead(1));
}

TEST(BatchWindow, ASpentBudgetWaitsForItsTime) {
  BatchWindow window(4);
  ASSERT_TRUE(window.MayRead(1));
  window.Read(100);
  window.Queued();
  EXPECT_FALSE(window.MayRead(99));
  EXPECT_FALSE(window.Tick(99));
  EXPECT_TRUE(window.Tick(100));
  EXPECT_FALSE(window.Tick(101)) << "once";
  EXPECT_TRUE(window.MayRead(101));
}

TEST(BatchWindow, WhatTheHostHasSentIsWaitedForWhenItSendsNoMore) {
  BatchWindow empty(4);
  EXPECT_TRUE(empty.HalfClosed());
  BatchWindow window(4);
  ASSERT_TRUE(window.MayRead(1));
  window.Read(0);
  window.Queued();
  ASSERT_TRUE(window.MayRead(1));
  EXPECT_FALSE(window.HalfClosed());
  EXPECT_TRUE(window.Committed());
  EXPECT_FALSE(window.MayRead(1));
}

}  // namespace
}  // namespace cordon::controller
