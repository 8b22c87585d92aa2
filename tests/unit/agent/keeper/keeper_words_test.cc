// What the keeper says in the log of what would be events.

#include <gtest/gtest.h>

#include "agent/keeper/keeper.h"

namespace cordon::agent {
namespace {

TEST(KeeperWords, SayALevelAndTheEndOfAnUnlock) {
  v1::Event changed;
  changed.mutable_isolation_changed()->set_cause("lease ended");
  changed.mutable_isolation_changed()->mutable_receipt()->set_enforced_level(v1::LEVEL_OBSERVE);
  changed.mutable_isolation_changed()->mutable_receipt()->set_containment(v1::CONTAINMENT_OPEN);
  EXPECT_EQ(InWords(changed), "lease ended: LEVEL_OBSERVE, CONTAINMENT_OPEN");
  v1::Event unlock;
  unlock.mutable_unlock_attempt()->set_detail("its time is over");
  EXPECT_EQ(InWords(unlock), "the unlock ended: its time is over");
}

}  // namespace
}  // namespace cordon::agent
