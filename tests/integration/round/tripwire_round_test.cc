// A policy that lets hosts isolate themselves, with the real programs: ransomware runs, the host cuts itself
// off and says why, the operators see who did it, and release it.

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <fstream>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

constexpr const char* kLocker =
    "import os\n"
    "for name in sorted(os.listdir('.')):\n"
    "  if name.endswith('.txt'):\n"
    "    size = os.path.getsize(name)\n"
    "    open(name, 'r+b').write(os.urandom(size))\n"
    "    os.rename(name, name + '.locked')\n";

class TripwireRound : public ::testing::Test {
 protected:
  TripwireRound() {
    fleet_.Enroll();
    fleet_.StartAgent();
    for (int i = 0; i < 30; ++i) {
      std::ofstream(fleet_.WatchedFolder() / ("letter" + std::to_string(i) + ".txt"))
          << std::string(3000, 'a');
    }
  }

  boost::json::object Host() { return fleet_.CtlJson({"hosts"}).at(0); }
  std::string Name() { return std::string(Host().at("host").as_string()); }
  std::string Level() {
    return std::string(Host().at("receipt").as_object().at("enforced_level").as_string());
  }
  std::string Events(const std::string& event_class) {
    return fleet_.Ctl({"-o", "json", "events", "--class", event_class, "--since", "10m"});
  }
  boost::json::object SetPolicy(const std::string& more) {
    std::ofstream(fleet_.Folder("policy.toml"))
        << "version = 2\nwatch = [\"" << fleet_.WatchedFolder().string() << "\"]\n"
        << more;
    return fleet_
        .CtlJson({"policy", "set", Name(), "--file", fleet_.Folder("policy.toml").string(), "--reason",
                  "a drill", "--wait", "--yes"})
        .back();
  }
  void RunLocker() {
    fleet_.Host().Run(
        {"sh", "-c", "cd " + fleet_.WatchedFolder().string() + " && python3 -c \"" + kLocker + "\""});
  }

  Fleet fleet_;
};

TEST_F(TripwireRound, TheHostIsolatesItselfByTheSignedPolicyAndIsReleasedByAnOrder) {
  const boost::json::object set = SetPolicy(
      "[tripwires.isolate]\nlevel = \"essential\"\nfor = \"1h\"\nmessage = \"Please call the security "
      "team.\"\n");
  ASSERT_EQ(set.at("state"), "done") << boost::json::serialize(set);
  RunLocker();
  EXPECT_TRUE(Eventually([&] {
    return Events("finding").find("documents were made unreadable") != std::string::npos;
  })) << Events("finding");
  EXPECT_NE(Events("finding").find("python3"), std::string::npos);
  EXPECT_TRUE(Eventually([&] { return Events("control").find("tripwire: ") != std::string::npos; }));
  EXPECT_TRUE(Eventually([&] { return Level() == "essential"; })) << boost::json::serialize(Host());
  EXPECT_EQ(Host().at("state"), "connected") << "the agent's own channel stays open";

  const boost::json::object released =
      fleet_.CtlJson({"release", Name(), "--reason", "a drill", "--wait", "--yes"}).back();
  EXPECT_EQ(released.at("state"), "done");
  EXPECT_EQ(released.at("receipt").as_object().at("containment"), "open");
}

TEST_F(TripwireRound, WithoutThatTheHostTellsAndWaitsForAnOrder) {
  ASSERT_EQ(SetPolicy("").at("state"), "done");
  RunLocker();
  EXPECT_TRUE(Eventually(
      [&] { return Events("finding").find("documents were made unreadable") != std::string::npos; }));
  EXPECT_EQ(Level(), "observe") << boost::json::serialize(Host());
}

TEST_F(TripwireRound, ReadsOfSensitiveFoldersReachTheController) {
  ASSERT_EQ(SetPolicy("sensitive = [\"" + fleet_.WatchedFolder().string() + "\"]\n").at("state"), "done");
  fleet_.Host().Run(
      {"sh", "-c", "cat " + (fleet_.WatchedFolder() / "letter7.txt").string() + " > /dev/null"});
  EXPECT_TRUE(Eventually([&] {
    const std::string events = Events("file");
    return events.find("CHANGE_READ") != std::string::npos || events.find("\"read\"") != std::string::npos;
  }));
  EXPECT_TRUE(Eventually(
      [&] { return fleet_.Ctl({"events", "--class", "file"}).find("file read: ") != std::string::npos; }));
}

}  // namespace
}  // namespace cordon::testing
