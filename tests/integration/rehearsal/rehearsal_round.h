#pragma once

// A workstation and a server that talk with each other in many ways, for rehearsals of what a level would
// cut.

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/support/caller.h"
#include "tests/support/fleet.h"

namespace cordon::testing {

inline constexpr const char* kHost4 = "10.77.0.10";
inline constexpr const char* kHost6 = "fd77::10";
inline constexpr const char* kPeer4 = "10.77.0.66";
inline constexpr const char* kPeer6 = "fd77::66";

inline constexpr const char* kName = "pms.example.vet";

// Direction ("out", "in"), protocol, the peer's address, the accepting port.
using FlowKey = std::tuple<std::string, std::string, std::string, int64_t>;

struct KeptFlow {
  FlowKey key;
  std::unique_ptr<Subprocess> program;
  int asked = 0;
};

class RehearsalRound : public ::testing::Test {
 protected:
  RehearsalRound() {
    std::ofstream(fleet_.Folder("agent.toml"), std::ios::app)
        << "[dns]\nresolvers = [\"" << kPeer4 << "\"]\n";
    fleet_.Enroll();
    fleet_.StartAgent();
    std::ofstream(fleet_.Folder("clinic.toml")) << Profile();
    peer_server_ =
        Talk(fleet_.Peer(), {"serve", "8080,8081,8082,8443,4444", "5060,9999", kName, kPeer4, kPeer6});
    host_server_ = Talk(fleet_.Host(), {"serve", "3389,22", "7000,7001"});
    EXPECT_TRUE(peer_server_->WaitForOutput("serving"));
    EXPECT_TRUE(host_server_->WaitForOutput("serving"));
  }
  ~RehearsalRound() override { fleet_.KillAgent(); }  // before its marks, which it would lay anew

  // Rules by network, by name, and for programs: the one that talks here, and another.
  static std::string Profile() {
    const std::string python =
        MustRun({"python3", "-c", "import os, sys; print(os.path.realpath(sys.executable), end='')"});
    return StrCat(R"(name = "front-desk"
[[allow]]
comment = "the practice system"
direction = "out"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [8080]
[[allow]]
comment = "phones"
direction = "out"
protocol = "udp"
networks = ["10.77.0.0/24", "fd77::/64"]
ports = [5060]
[[allow]]
comment = "the console"
direction = "in"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [3389]
[[allow]]
comment = "pings of the console"
direction = "in"
protocol = "udp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [7000]
[[allow]]
comment = "the laboratory"
direction = "out"
protocol = "tcp"
names = [")",
                  kName, R"("]
ports = [8443]
[[allow]]
comment = "imaging"
direction = "out"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [8081]
program = { path = ")",
                  python, R"(" }
[[allow]]
comment = "a program that does not run here"
direction = "out"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [8082]
program = { path = "/usr/bin/env" }
)");
  }

  static std::unique_ptr<Subprocess> Talk(const NetNamespace& in, std::vector<std::string> args) {
    args.insert(args.begin(), {"python3", StrCat(kSourceDir, "/tests/integration/rehearsal/talk.py")});
    return std::make_unique<Subprocess>(std::move(args), SubprocessOptions{.net_namespace = in.Name()});
  }

  void Keep(const std::string& direction, const std::string& protocol, const std::string& address,
            int64_t port) {
    const bool out = direction == "out";
    const std::string there = address == kHost4 ? kPeer4 : kPeer6;
    flows_.push_back(
        {{direction, protocol, out ? address : there, port},
         Talk(out ? fleet_.Host() : fleet_.Peer(), {"keep", protocol, address, std::to_string(port)})});
  }

  static bool Lives(KeptFlow& flow) {
    const auto words = [&] {
      const std::string output = flow.program->Output();
      return std::ranges::count(output, '\n');
    };
    ++flow.asked;
    flow.program->Write("again\n");
    EXPECT_TRUE(Eventually([&] { return words() >= flow.asked; })) << flow.program->Errors();
    const std::string output = flow.program->Output();
    return output.ends_with("lives\n");
  }

  std::string Name() { return std::string(fleet_.CtlJson({"hosts"}).at(0).at("host").as_string()); }

  std::vector<std::string> Isolate(const std::vector<std::string>& more) {
    std::vector<std::string> args = {
        "isolate",    Name(), "--level",  "essential", "--profile", fleet_.Folder("clinic.toml").string(),
        "--fallback", "hold", "--reason", "a drill"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  boost::json::object Rehearse() {
    const std::vector<boost::json::object> lines = fleet_.CtlJson(Isolate({"--dry-run"}));
    EXPECT_EQ(lines.size(), 2U);
    EXPECT_TRUE(lines.at(0).at("dry_run").as_bool());
    return lines.at(1);
  }

  // The forecast of each kind. A kind that two programs share must be told alike.
  static std::map<FlowKey, boost::json::object> ByKind(const boost::json::object& rehearsal) {
    std::map<FlowKey, boost::json::object> kinds;
    for (const auto& each : rehearsal.at("flows").as_array()) {
      const boost::json::object& flow = each.as_object();
      const FlowKey key(
          std::string(flow.at("direction").as_string()), std::string(flow.at("protocol").as_string()),
          std::string(flow.at("remote_address").as_string()), flow.at("port").to_number<int64_t>());
      const auto [found, added] = kinds.emplace(key, flow);
      EXPECT_EQ(found->second.at("stays"), flow.at("stays")) << boost::json::serialize(flow);
    }
    return kinds;
  }

  Fleet fleet_;
  const MarksOf marks_{fleet_.Host()};
  std::unique_ptr<Subprocess> peer_server_;
  std::unique_ptr<Subprocess> host_server_;
  std::vector<KeptFlow> flows_;
};

}  // namespace cordon::testing
