// What the keeper says in the log of what would be events.

#include <gtest/gtest.h>

#include "agent/keeper/keeper.h"

namespace cordon::agent {
namespace {

TEST(KeeperWords, ISO6_NameWhoChangedTheRules) {
  v1::Event event;
  v1::RulesDrift& drift = *event.mutable_rules_drift();
  drift.add_differences("rule 3 is missing");
  drift.set_pid(42);
  drift.set_process_name("nft");
  drift.set_repaired(true);
  EXPECT_EQ(InWords(event), "nft (pid 42) changed the rules, which were put right; rule 3 is missing");
  drift.set_pid(0);
  drift.set_repaired(false);
  drift.set_repair_error("no memory");
  EXPECT_EQ(InWords(event),
            "somebody changed the rules, which cannot be put right: no memory; rule 3 is missing");
}

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
