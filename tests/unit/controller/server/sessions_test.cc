#include "controller/server/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class FakeLink final : public SessionLink {
 public:
  bool Push(std::shared_ptr<const ControlMessage> message) override {
    if (gone) return false;
    pushed.push_back(std::move(message));
    return true;
  }
  void Drop(const std::string& reason) override { dropped_because = reason; }

  bool gone = false;
  std::vector<std::shared_ptr<const ControlMessage>> pushed;
  std::string dropped_because;
};

struct Fixture {
  Sessions sessions;
  std::shared_ptr<FakeLink> first = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> second = std::make_shared<FakeLink>();
};

TEST(Sessions, ASecondRunEndsTheFirstAndIsTold) {
  Fixture f;
  EXPECT_FALSE(f.sessions.Open("host", "run-1", f.first, 1).other_run);
  EXPECT_TRUE(f.sessions.Open("host", "run-2", f.second, 2).other_run);
  EXPECT_NE(f.first->dropped_because, "");
  EXPECT_EQ(f.second->dropped_because, "");
  EXPECT_THAT(f.sessions.Seen(), SizeIs(1));
}

TEST(Sessions, AUT2_ARunThatWasReplacedAndIsBackIsAClone) {
  Fixture f;
  f.sessions.Open("host", "run-1", f.first, 1);
  EXPECT_FALSE(f.sessions.Open("host", "run-2", f.second, 2).cloned) << "it may be a restart";
  EXPECT_TRUE(f.sessions.Open("host", "run-1", f.first, 3).cloned);
  EXPECT_TRUE(f.sessions.Close("host", f.first.get()));
  EXPECT_TRUE(f.sessions.Open("host", "run-2", f.second, 4).cloned)
      << "also when the other one has just gone";
  EXPECT_FALSE(f.sessions.Open("another", "run-1", f.first, 5).cloned);
}

TEST(Sessions, TheSameRunMayConnectAgain) {
  Fixture f;
  f.sessions.Open("host", "run-1", f.first, 1);
  EXPECT_FALSE(f.sessions.Open("host", "run-1", f.second, 2).other_run);
  EXPECT_NE(f.first->dropped_because, "");
}

TEST(Sessions, AnOlderSessionThatClosesLateLeavesTheNewerOne) {
  Fixture f;
  f.sessions.Open("host", "run-1", f.first, 1);
  f.sessions.Open("host", "run-2", f.second, 2);
  EXPECT_FALSE(f.sessions.Close("host", f.first.get()));
  EXPECT_TRUE(f.sessions.LastBeat("host").has_value());
  EXPECT_TRUE(f.sessions.Close("host", f.second.get()));
  EXPECT_FALSE(f.sessions.LastBeat("host").has_value());
}

TEST(Sessions, AMessageReachesWhoIsConnectedAndMeant) {
  Fixture f;
  f.sessions.Open("a", "run", f.first, 1);
  f.sessions.Open("b", "run", f.second, 1);
  const std::vector<std::string> meant = {"a", "offline"};
  EXPECT_THAT(f.sessions.Push(meant, MakeControlMessage({})), ElementsAre("a"));
  EXPECT_THAT(f.first->pushed, SizeIs(1));
  EXPECT_THAT(f.second->pushed, IsEmpty());
}

TEST(Sessions, AStreamThatHasEndedCountsAsNotReached) {
  Fixture f;
  f.first->gone = true;
  f.sessions.Open("a", "run", f.first, 1);
  const std::vector<std::string> meant = {"a"};
  EXPECT_THAT(f.sessions.Push(meant, MakeControlMessage({})), IsEmpty());
}

TEST(Sessions, RemembersTheLastBeatOfTheLiveSessionOnly) {
  Fixture f;
  f.sessions.Open("host", "run-1", f.first, 1);
  f.sessions.Open("host", "run-2", f.second, 2);
  v1::Heartbeat beat;
  beat.set_id(7);
  f.sessions.Beat("host", f.second.get(), beat, 20);
  f.sessions.Beat("host", f.first.get(), v1::Heartbeat(), 30);
  EXPECT_EQ(f.sessions.LastBeat("host")->time_unix_nanos, 20);
  EXPECT_EQ(f.sessions.LastBeat("host")->beat.id(), 7U);
}

TEST(Sessions, TellOnceWhenAHostThatLeftWasSeen) {
  Fixture f;
  f.sessions.Open("gone", "run", f.first, 5);
  f.sessions.Open("here", "run", f.second, 6);
  f.sessions.Close("gone", f.first.get());
  const auto ids = [](const std::vector<HostSeen>& seen) {
    std::vector<std::string> names;
    for (const HostSeen& host : seen) names.push_back(host.host_id);
    return names;
  };
  EXPECT_THAT(ids(f.sessions.Seen()), UnorderedElementsAre("gone", "here"));
  EXPECT_THAT(ids(f.sessions.Seen()), ElementsAre("here"));
}

}  // namespace
}  // namespace cordon::controller
