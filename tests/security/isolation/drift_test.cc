// ISO-6: whoever changes the rules is named, and they are right again at once.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <future>
#include <iterator>
#include <random>
#include <thread>

#include "tests/security/isolation/leak_judge.h"
#include "tests/support/actions.h"
#include "tests/support/soak.h"
#include "tests/support/subprocess.h"
#include "tests/support/traffic.h"
#include "tests/support/watched_isolation.h"

namespace cordon::testing {
namespace {

// An isolated host whose agent watches.
class WatchedHost : public ::testing::Test {
 protected:
  void Isolate(v1::Level level) { ASSERT_TRUE(watched_.Set(testing::Isolate(level)).ok()); }
  v1::Receipt Receipt() { return watched_.Receipt(); }
  void Tick() { watched_.Tick(); }
  std::vector<v1::RulesDrift> Drifts() const { return watched_.Drifts(); }
  bool IsTold(uint32_t pid) { return watched_.IsTold(pid); }
  // Runs nft as another process would and returns its pid.
  uint32_t Nft(const std::string& change) {
    Subprocess nft({"nft", change}, {.net_namespace = lab_.host.Name()});
    EXPECT_EQ(nft.Wait(), 0) << change << ": " << nft.Errors();
    return static_cast<uint32_t>(nft.Pid());
  }

  Lab lab_;
  WatchedIsolation watched_{lab_.host, *lab_.filter};
};

TEST_F(WatchedHost, ISO6_NamesTheProcessAndPutsTheRulesRight) {
  Isolate(v1::LEVEL_ESSENTIAL);
  ASSERT_EQ(Receipt().containment(), v1::CONTAINMENT_CONTAINED) << Receipt().ShortDebugString();
  const uint32_t pid = Nft("delete table netdev cordon");
  ASSERT_TRUE(IsTold(pid));
  const v1::RulesDrift drift = Drifts().back();
  EXPECT_EQ(drift.process_name(), "nft");
  EXPECT_TRUE(drift.executable().empty() || drift.executable().ends_with("/nft")) << drift.executable();
  EXPECT_GT(drift.stood_nanos(), 0);
  EXPECT_TRUE(drift.repaired()) << drift.repair_error();
  EXPECT_NE(drift.differences(0).find("netdev"), std::string::npos) << drift.differences(0);
  EXPECT_FALSE(drift.packets_unknown());
  EXPECT_EQ(Receipt().containment(), v1::CONTAINMENT_CONTAINED) << Receipt().ShortDebugString();
}

TEST_F(WatchedHost, ISO6_TheAgentsOwnChangesAndThoseOfOthersToOtherTablesAreNoDrift) {
  Isolate(v1::LEVEL_ESSENTIAL);
  Isolate(v1::LEVEL_DARK);
  Nft("add table inet admins; add chain inet admins c { type filter hook input priority 0; }");
  Isolate(v1::LEVEL_NO_LATERAL);
  EXPECT_TRUE(IsTold(Nft("flush ruleset"))) << "the positive control, which comes after all of the above";
  EXPECT_EQ(Drifts().size(), 1U);
}

TEST_F(WatchedHost, ISO6_CountsWhatPassedWhileTheRulesWereGone) {
  Isolate(v1::LEVEL_CONTROLLER_ONLY);
  LeakJudge judge(lab_);
  EXPECT_TRUE(judge.Send(kExpectNothing).empty());
  // The loop is kept from repairing until packets have passed.
  std::promise<void> go_on;
  std::promise<void> held;
  boost::asio::post(watched_.Loop(), [&] {
    held.set_value();
    go_on.get_future().wait();
  });
  held.get_future().wait();
  const uint32_t pid = Nft("delete table netdev cordon; delete table inet cordon");
  for (int packets = 0; packets < 25; ++packets) judge.Pump();
  std::this_thread::sleep_for(kExpectNothing);
  const uint64_t arrived = judge.ArrivedAtPeer();
  go_on.set_value();
  ASSERT_TRUE(IsTold(pid));
  // The peer's ICMP answers come in, and are forbidden as well: the sniffer and the count see both ways.
  EXPECT_GE(arrived, 25U) << "the positive control";
  EXPECT_FALSE(Drifts().back().packets_unknown());
  EXPECT_GE(Drifts().back().packets_passed(), 25U);
  EXPECT_LT(Drifts().back().packets_passed(), 100U) << "besides them a few answers and announcements";
  EXPECT_TRUE(judge.Send(kExpectNothing).empty()) << "and nothing passes now";
}

TEST_F(WatchedHost, ISO6_WhoRemovesTheCountMakesItUnknown) {
  Isolate(v1::LEVEL_CONTROLLER_ONLY);
  const uint32_t pid = Nft("flush ruleset");
  ASSERT_TRUE(IsTold(pid));
  EXPECT_TRUE(Drifts().back().packets_unknown());
  Tick();
  ASSERT_TRUE(IsTold(Nft("delete table netdev cordon")));
  EXPECT_FALSE(Drifts().back().packets_unknown()) << "it counts again";
}

TEST_F(WatchedHost, ISO6_NothingIsLeftBehindAfterTheRelease) {
  Isolate(v1::LEVEL_DARK);
  EXPECT_NE(lab_.host.Run({"nft", "list", "tables"}).find("cordon-watch"), std::string::npos);
  ASSERT_TRUE(watched_.Release());
  EXPECT_EQ(lab_.host.Run({"nft", "list", "tables"}).find("cordon"), std::string::npos);
}

// Edits by other processes, one after the other, under a packet pump. Each is named; the rules are right
// again after each; what slipped through is counted on the far side and told.
TEST_F(WatchedHost, ISO6_AStormOfEditsIsRepairedAndEachEditorNamed) {
  Isolate(v1::LEVEL_CONTROLLER_ONLY);
  LeakJudge judge(lab_);
  const int edits = StormCount(200, 10'000);
  const unsigned seed = std::random_device()();
  printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::vector<std::string> changes = {
      "delete table inet cordon",
      "delete table netdev cordon",
      "delete table inet cordon; delete table netdev cordon",
      "insert rule inet cordon output accept",
      "flush chain inet cordon input",
      "flush table netdev cordon",
      "add chain inet cordon extra { type filter hook output priority -600; policy accept; }",
      "insert rule netdev cordon egress/up0 accept",
      "flush ruleset",
  };
  std::atomic<bool> done = false;
  std::atomic<uint64_t> arrived = 0;
  std::thread pump([&] {
    while (!done) {
      judge.Pump();
      arrived += judge.ArrivedAtPeer();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  int unnamed = 0;
  std::vector<v1::RulesDrift> drifts;
  for (int edit = 0; edit < edits; ++edit) {
    const uint32_t pid = Nft(changes[random() % changes.size()]);
    if (!IsTold(pid)) ++unnamed;
    std::ranges::move(watched_.TakeDrifts(), std::back_inserter(drifts));
    if (edit % 20 == 0) Tick();
  }
  done = true;
  pump.join();
  arrived += judge.ArrivedAtPeer();
  EXPECT_EQ(unnamed, 0);
  EXPECT_EQ(Receipt().containment(), v1::CONTAINMENT_CONTAINED) << Receipt().ShortDebugString();
  EXPECT_TRUE(judge.Send(kExpectNothing).empty());

  std::vector<int64_t> stood;
  uint64_t told = 0;
  int unknown = 0;
  for (const v1::RulesDrift& drift : drifts) {
    EXPECT_TRUE(drift.repaired()) << drift.repair_error();
    stood.push_back(drift.stood_nanos());
    told += drift.packets_passed();
    unknown += drift.packets_unknown() ? 1 : 0;
  }
  ASSERT_GE(stood.size(), static_cast<size_t>(edits));
  std::sort(stood.begin(), stood.end());
  printf(
      "%d edits: stood median %.1f ms, p99 %.1f ms, worst %.1f ms; of %lu forbidden packets sent %lu "
      "arrived, "
      "%lu were told, %d times the count was gone with the rules\n",
      edits, static_cast<double>(stood[stood.size() / 2]) / 1e6,
      static_cast<double>(stood[stood.size() * 99 / 100]) / 1e6, static_cast<double>(stood.back()) / 1e6,
      judge.Pumped(), arrived.load(), told, unknown);
}

}  // namespace
}  // namespace cordon::testing
