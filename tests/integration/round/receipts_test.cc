// Receipts on their whole way, from the kernel to the operator's table, with the real programs.

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

class ReceiptsTest : public ::testing::Test {
 protected:
  ReceiptsTest() {
    fleet_.Enroll();
    fleet_.StartAgent();
  }

  boost::json::object Host() { return fleet_.CtlJson({"hosts"}).at(0); }
  // The outcome of a live probe in the newest receipt; empty when it is not there.
  std::string Outcome(const std::string& probe) {
    const boost::json::object host = Host();
    const auto* const receipt = host.if_contains("receipt");
    if (receipt == nullptr) return "";
    for (const boost::json::value& each : receipt->as_object().at("probes").as_array()) {
      if (std::string_view(each.as_object().at("name").as_string()) == probe)
        return std::string(each.as_object().at("outcome").as_string());
    }
    return "";
  }
  bool Becomes(const std::string& probe, const std::string& outcome) {
    return Eventually([&] { return Outcome(probe) == outcome; }, std::chrono::seconds(60));
  }

  Fleet fleet_;
};

TEST_F(ReceiptsTest, ISO7_AreSignedByTheHostAndCarryProbesOfBothDirections) {
  EXPECT_TRUE(Becomes("tcp4 in", "passed")) << "the positive control: " << boost::json::serialize(Host());
  EXPECT_EQ(Host().at("receipt").as_object().at("verified"), true);
  const std::string name(Host().at("host").as_string());
  fleet_.Ctl({"isolate", name, "--level", "controller-only", "--fallback", "hold", "--reason", "a drill",
              "--yes", "--wait"});
  EXPECT_TRUE(Becomes("tcp4 in", "blocked")) << boost::json::serialize(Host());
  EXPECT_TRUE(Becomes("udp4 in", "blocked")) << boost::json::serialize(Host());
  EXPECT_EQ(Outcome("controller"), "passed");
  EXPECT_EQ(Outcome("frame out lan0"), "blocked");
  const boost::json::object receipt = Host().at("receipt").as_object();
  EXPECT_EQ(receipt.at("verified"), true);
  EXPECT_EQ(receipt.at("containment"), "contained") << boost::json::serialize(receipt);
}

// To the peer, where nobody listens: what counts is this host's own rules.
TEST_F(ReceiptsTest, ISO7_TheOperatorReadsWhichAllowedDestinationTheHostStops) {
  const std::string name(Host().at("host").as_string());
  std::ofstream(fleet_.Folder("clinic.toml"))
      << "name = \"clinic\"\n[[allow]]\ncomment = \"the practice system\"\ndirection = \"out\"\n"
         "protocol = \"tcp\"\nnetworks = [\"10.77.0.66\"]\nports = [443]\n";
  fleet_.Ctl({"isolate", name, "--level", "essential", "--profile", fleet_.Folder("clinic.toml").string(),
              "--fallback", "hold", "--reason", "a drill", "--yes", "--wait"});
  EXPECT_TRUE(Becomes("tcp4 allowed", "passed")) << "the positive control";
  fleet_.Host().Run(
      {"nft",
       "add table inet others; add chain inet others out { type filter hook output priority 0; };"
       "add rule inet others out ip daddr 10.77.0.66 drop"});
  const std::string status =
      RunCommand({Fleet::Program("cordon-agent"), "status", "--config", fleet_.Folder("agent.toml").string()})
          .output;
  EXPECT_NE(status.find("essential, contained"), std::string::npos) << status;
  EXPECT_NE(status.find("profile rule 1 (the practice system) allows 10.77.0.66:443"), std::string::npos)
      << status;
  // The canary tells the controller without being asked.
  EXPECT_TRUE(Becomes("tcp4 allowed", "blocked")) << boost::json::serialize(Host());
  EXPECT_EQ(Host().at("receipt").as_object().at("containment"), "contained");
}

TEST_F(ReceiptsTest, ISO6_TheOperatorReadsWhoChangedTheRules) {
  const std::string name(Host().at("host").as_string());
  fleet_.Ctl({"isolate", name, "--level", "controller-only", "--fallback", "hold", "--reason", "a drill",
              "--yes", "--wait"});
  fleet_.Host().Run({"nft", "delete table netdev cordon"});
  std::string told;
  EXPECT_TRUE(Eventually([&] {
    told = fleet_.Ctl({"events", "--class", "control", "--since", "10m"});
    return told.find("isolation rules changed by") != std::string::npos;
  }));
  EXPECT_NE(told.find("/nft pid"), std::string::npos) << told;
  EXPECT_NE(told.find("put right"), std::string::npos) << told;
}

TEST_F(ReceiptsTest, WhatStandsBetweenTheAgentAndItsControllerIsNamedByTheAgent) {
  fleet_.Host().Run(
      {"nft",
       "add table inet others; add chain inet others out { type filter hook output priority 0; };"
       "add rule inet others out ip daddr 10.99.0.10 drop"});
  std::string status;
  EXPECT_TRUE(Eventually(
      [&] {
        status = RunCommand({Fleet::Program("cordon-agent"), "status", "--config",
                             fleet_.Folder("agent.toml").string()})
                     .output;
        return status.find("table inet others, chain out") != std::string::npos;
      },
      std::chrono::seconds(120)))
      << status;
}

}  // namespace
}  // namespace cordon::testing
