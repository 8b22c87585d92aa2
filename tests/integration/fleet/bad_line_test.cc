// A clinic's line at its worst, with the real programs: 256 kbit/s, 300 ms there and back, 5 % of the packets
// lost, and a hole in the middle that swallows what stands (TEL-2). A backlog waits on the host; orders and
// what happens now go before it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/support/exec_storm.h"
#include "tests/support/fleet.h"
#include "tests/support/relay.h"
#include "tests/support/stored_chains.h"

namespace cordon::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class BadLine : public ::testing::Test {
 protected:
  BadLine() {
    {
      const InNetNamespace outside(fleet_.Outside());
      relay_ = std::make_unique<Relay>(8443);
    }
    fleet_.Outside().SetSysctl("net/ipv4/conf/wan0/route_localnet", "1");
    fleet_.Outside().Run(
        {"nft", fmt::format("add table ip line; "
                            "add chain ip line way {{ type nat hook prerouting priority -100; }}; "
                            "add rule ip line way iifname wan0 tcp dport 8443 dnat to 127.0.0.1:{}",
                            relay_->Port())});
    fleet_.Enroll();
    fleet_.StartAgent();
    host_id_ = std::string(fleet_.CtlJson({"hosts"}).at(0).at("host_id").as_string());
  }

  // Sensors see the whole machine: another run's programs must not be taken for this one's.
  std::string Tag(const std::string& what) const { return StrCat(what, "-", host_id_); }

  void MakeWorse() {
    for (const NetNamespace* end : {&fleet_.Host(), &fleet_.Outside()}) {
      end->Run({"tc", "qdisc", "add", "dev", "wan0", "root", "tbf", "rate", "256kbit", "burst", "4kb",
                "latency", "200ms"});
    }
    fleet_.Outside().Run({"nft",
                          "add chain ip line in { type filter hook input priority 0; }; "
                          "add rule ip line in iifname wan0 numgen random mod 100 < 5 drop; "
                          "add chain ip line out { type filter hook output priority 0; }; "
                          "add rule ip line out oifname wan0 numgen random mod 100 < 5 drop"});
    relay_->SetDelay(milliseconds(150));
  }

  // How often each program of the storm `tag` is stored.
  std::map<int, int> Stored(const std::string& tag) {
    return StoredPrograms(StoredRows(fleet_.Folder("controller") / "store.db", host_id_), Tag(tag));
  }

  Fleet fleet_;
  std::unique_ptr<Relay> relay_;
  std::string host_id_;
};

TEST_F(BadLine, TEL2_OrdersAndWhatHappensNowGoBeforeABacklogAndAllIsStoredOnce) {
  constexpr int kBacklog = 8'000;
  fleet_.KillController();
  ASSERT_EQ(RunExecStorm(kBacklog, Tag("backlog")).failed, 0);
  std::this_thread::sleep_for(seconds(11));  // what is older than ten seconds is a backlog
  MakeWorse();
  fleet_.StartController();
  ASSERT_TRUE(Eventually([&] { return fleet_.AgentConnected(); }, seconds(60)));

  const auto began = steady_clock::now();
  ASSERT_TRUE(RunTiny(Tag("now"), 1));
  const boost::json::object outcome =
      fleet_
          .CtlJson({"isolate", host_id_, "--level", "no-lateral", "--fallback", "hold", "--reason", "a drill",
                    "--wait", "--yes"})
          .back();
  EXPECT_EQ(outcome.at("state"), "done");
  const auto ordered = steady_clock::now();
  EXPECT_TRUE(Eventually([&] { return Stored("now").contains(1); }, seconds(60)));
  const auto live = steady_clock::now();
  const size_t drained = Stored("backlog").size();
  EXPECT_LT(drained, static_cast<size_t>(kBacklog)) << "the backlog was gone by then, and shows nothing";

  // A hole: connections stand, and nothing passes.
  relay_->Swallow();
  std::this_thread::sleep_for(seconds(5));
  relay_->Restore();

  // And resets, one after the other, of whatever has come back.
  int resets = 0;
  for (int tries = 0; resets < 3 && tries < 60; ++tries) {
    std::this_thread::sleep_for(seconds(2));
    if (relay_->Reset() > 0) ++resets;
  }
  EXPECT_EQ(resets, 3) << "the agent did not come back to be reset";

  std::map<int, int> stored;
  EXPECT_TRUE(Eventually([&] { return (stored = Stored("backlog")).size() == kBacklog; }, seconds(400)))
      << stored.size() << " of " << kBacklog;
  for (const auto& [number, count] : stored) EXPECT_EQ(count, 1) << number;
  const auto in_seconds = [&](steady_clock::time_point until) {
    return std::chrono::duration<double>(until - began).count();
  };
  fmt::print(
      "an order had its outcome after {:.1f} s, a new event was stored after {:.1f} s with {} of {} of the "
      "backlog "
      "stored, all after {:.1f} s\n",
      in_seconds(ordered), in_seconds(live), drained, kBacklog, in_seconds(steady_clock::now()));
}

}  // namespace
}  // namespace cordon::testing
