#pragma once

// The real cordon-agent as a process in a namespace of its own, against a fake controller in the same
// namespace, with another machine on its LAN.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/wire/enrollment_file.h"
#include "common/wire/trust.h"
#include "tests/integration/link/fake_gateway.h"
#include "tests/support/build_paths.h"
#include "tests/support/fleet.h"
#include "tests/support/net_namespace.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

class AgentProgram : public ::testing::Test {
 protected:
  AgentProgram() {
    ConnectByVeth({host_, "lan0", {"10.77.0.10/24"}}, {peer_, "lan0", {"10.77.0.66/24"}});
    const InNetNamespace inside(host_);
    gateway_ = std::make_unique<FakeGateway>(fleet_);
    std::filesystem::create_directory(folder_ / "watched");
    std::ofstream(folder_ / "agent.toml")
        << "[agent]\nstate_dir = \"" << State().string()
        << "\"\nhost_name = \"front-desk\"\n[watch]\npaths = [\"" << (folder_ / "watched").string()
        << "\"]\n[dns]\nresolvers = [\"10.77.0.66\"]\n";
    std::ofstream(folder_ / "leeds.enroll")
        << WriteEnrollmentFile(fleet_.MakeEnrollment(gateway_->Address()));
  }

  std::filesystem::path State() const { return folder_ / "state"; }

  std::vector<std::string> Command(std::vector<std::string> args) const {
    args.insert(args.begin(), StrCat(kBinaryDir, "/bin/cordon-agent"));
    args.insert(args.end(), {"--config", (folder_ / "agent.toml").string()});
    return args;
  }
  CommandResult Run(std::vector<std::string> args) const {
    return RunCommand(Command(std::move(args)), {.net_namespace = host_.Name()});
  }
  CommandResult Enroll() const { return Run({"enroll", (folder_ / "leeds.enroll").string()}); }
  // `through`: a command that runs it.
  void Start(std::vector<std::string> through = {}) {
    for (std::string& arg : Command({"run"})) through.push_back(std::move(arg));
    agent_ =
        std::make_unique<Subprocess>(std::move(through), SubprocessOptions{.net_namespace = host_.Name()});
    ASSERT_TRUE(Eventually([&] { return Run({"status"}).output.contains("\ncontroller    connected"); }))
        << agent_->Errors();
  }

  // Signed by the operator, or in the operator's name by another key.
  void Order(uint64_t sequence, const std::function<void(v1::Order*)>& what, EVP_PKEY* other_key = nullptr) {
    v1::Order order;
    order.set_order_id(NewUuid());
    order.set_fleet_id(fleet_.FleetId());
    order.mutable_target()->add_sites("leeds");
    order.set_not_before_unix_nanos(WallNowNanos() - kNanosPerSecond);
    order.set_expiry_unix_nanos(WallNowNanos() + TestFleet::kHour);
    order.set_sequence(static_cast<uint64_t>(WallNowNanos() / 1000) + sequence);
    order.set_reason("a drill");
    what(&order);
    v1::ControlResponse message;
    message.mutable_order()->set_order(order.SerializeAsString());
    *message.mutable_order()->add_signatures() =
        Must(SignOrder(message.order().order(), fleet_.OperatorId(),
                       other_key != nullptr ? *other_key : fleet_.OperatorKey()));
    gateway_->Send(message);
  }
  static void Essential(v1::Order* order) {
    order->mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
    order->mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
    order->mutable_isolate()->mutable_profile()->set_name("clinic");
  }
  void OrderEssential() { Order(1, Essential); }
  bool OutcomeComes(v1::OrderOutcome::State state) const {
    return gateway_->WaitForMessage(
        [state](const auto& m) { return m.has_outcome() && m.outcome().state() == state; });
  }
  bool PingsPeer() const {
    return RunCommand({"ping", "-c1", "-W1", "10.77.0.66"}, {.net_namespace = host_.Name()}).status == 0;
  }

  TestFleet fleet_;
  NetNamespace host_{"agent"};
  NetNamespace peer_{"peer"};
  TempFolder folder_;
  std::unique_ptr<FakeGateway> gateway_;
  std::unique_ptr<Subprocess> agent_;
};

}  // namespace cordon::testing
