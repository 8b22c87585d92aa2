// ISO-1 under a packet pump: steps between any two levels, each packet judged on the other side. The senders
// are the host's own sockets; level_senders_test.cc has the others.

#include <gtest/gtest.h>

#include "tests/security/isolation/level_walk.h"
#include "tests/support/soak.h"

namespace cordon::testing {
namespace {

class LevelSteps : public LevelWalk {
 protected:
  LevelSteps() {
    const LinkEnd host{lab_.host, "up0", {"10.9.0.1", "fd09::1"}};
    const LinkEnd peer{lab_.peer, "eth0", {"10.9.0.2", "fd09::2"}};
    KnowNeighbour(lab_.host, "up0", peer);
    KnowNeighbour(lab_.peer, "eth0", host);
    KnowNeighbour(lab_.guest, "mv0", peer);
    for (const Kind& kind : {kProfile, kOrdinary, kLateral, kTcpProfile, kTcpOrdinary, kTcpLateral})
      AddAllWays(kind);
    Add("macvlan out", kNeighbour, lab_.guest, lab_.peer, "10.9.0.2");
  }

  void AddOut(const Kind& kind) {
    Add("4 out", kind, lab_.host, lab_.peer, "10.9.0.2");
    Add("6 out", kind, lab_.host, lab_.peer, "fd09::2");
  }
  void AddAllWays(const Kind& kind) {
    AddOut(kind);
    Add("4 in", kind, lab_.peer, lab_.host, "10.9.0.1");
    Add("6 in", kind, lab_.peer, lab_.host, "fd09::1");
  }

  Change ApplyPlainPolicy() {
    return [this](Level level) { return lab_.filter->Apply(Policy(level)); };
  }
};

TEST_F(LevelSteps, ISO1_RandomStepsPassNothingThatBothForbidAndDropNothingThatBothAllow) {
  WalkEveryStep(StormCount(6, 40), ApplyPlainPolicy());
}

TEST_F(LevelSteps, ISO1_StepsWithNamesAndProgramsPassNothingThatBothForbidAndDropNothingThatBothAllow) {
  for (const Kind& kind : {kProgram, kOther, kLateralOfOther}) AddAllWays(kind);
  for (const Kind& kind : {kNamed, kLateralByName, kDns}) AddOut(kind);
  WalkEveryStep(StormCount(2, 40), ApplyWithPrograms(RichPolicy));
}

// Where sets decide on both sides, again and again: what a transaction could take away under a packet shows
// here.
TEST_F(LevelSteps, ISO1_BackAndForthBetweenClosedLevels) {
  int step = 0;
  const Level order[] = {Level::kNoLateral, Level::kEssential, Level::kNoLateral, Level::kControllerOnly};
  Walk(StormCount(100, 1'000), [&](Level) { return order[step++ % 4]; }, ApplyPlainPolicy());
}

}  // namespace
}  // namespace cordon::testing
