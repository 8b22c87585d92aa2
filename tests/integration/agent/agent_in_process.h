#pragma once

// A whole agent in the test's own process, as the host of a fleet whose controller and tool are the real
// programs.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <thread>

#include "agent/app/agent.h"
#include "agent/link/prepare.h"
#include "tests/support/fleet.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {

class AgentInProcess {
 public:
  // The host is enrolled, and agent::PrepareRpc was called; the fleet outlives this object.
  explicit AgentInProcess(const Fleet& fleet, const agent::AgentPace& pace = {})
      : thread_([this, &fleet, pace] { Run(fleet, pace); }), agent_(made_.get_future().get()) {}
  AgentInProcess(const AgentInProcess&) = delete;
  AgentInProcess& operator=(const AgentInProcess&) = delete;
  ~AgentInProcess() {
    if (agent_ != nullptr) agent_->RequestStop();
    thread_.join();
  }

  bool IsMade() const { return agent_ != nullptr; }

 private:
  void Run(const Fleet& fleet, const agent::AgentPace& pace) {
    const InNetNamespace inside(fleet.Host());
    agent::ConfigFlags flags;
    flags.config_file = fleet.Folder("agent.toml").string();
    const auto config = agent::LoadConfig(flags, std::getenv);
    EXPECT_THAT(config.status(), IsOk());
    auto whole = config.ok() ? agent::Agent::Make(*config, pace) : config.status();
    EXPECT_THAT(whole.status(), IsOk());
    made_.set_value(whole.ok() ? whole->get() : nullptr);
    if (whole.ok()) {
      EXPECT_THAT((*whole)->Run(), IsOk());
    }
  }

  std::promise<agent::Agent*> made_;
  std::thread thread_;
  agent::Agent* const agent_;  // the thread's
};

// A fleet with an enrolled host, for an agent in the test's own process.
class WithAgentInProcess : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for sensors and namespaces";
    ASSERT_THAT(agent::PrepareRpc(), IsOk());
    fleet_ = std::make_unique<Fleet>();
    fleet_->Enroll();
  }

  std::unique_ptr<Fleet> fleet_;
};

}  // namespace cordon::testing
