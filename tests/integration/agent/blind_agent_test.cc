// A whole agent whose sensors go blind: an operator who asks is told so, and one who does not ask is told
// within 30 s. The agent runs in this process, which can take its sensors off the kernel; controller and
// cordonctl are the real programs.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "tests/integration/agent/agent_in_process.h"
#include "tests/support/kernel_hooks.h"

namespace cordon::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using SteadyClock = std::chrono::steady_clock;

class BlindAgent : public WithAgentInProcess {
 protected:
  void SetUp() override {
    WithAgentInProcess::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    agent_ = std::make_unique<AgentInProcess>(*fleet_);
    ASSERT_TRUE(agent_->IsMade());
    ASSERT_TRUE(Eventually([&] { return fleet_->AgentConnected(); }));
    // The positive control: each sensor is proven before it is blinded.
    ASSERT_TRUE(Eventually([&] {
      const auto parts = Parts({"--prove"});
      return parts.at("cordon.process").serving && parts.at("cordon.integrity").serving &&
             parts.at("cordon.flows").serving;
    }));
  }

  struct Told {
    bool serving = false;
    std::string detail;
  };
  // What `cordonctl health` says of each part. Throws when the host does not answer.
  std::map<std::string, Told> Parts(std::vector<std::string> how = {}) {
    how.insert(how.begin(), {"health", "--all"});
    const boost::json::object host = fleet_->CtlJson(std::move(how)).at(0);
    std::map<std::string, Told> parts;
    for (const boost::json::value& part : host.at("report").as_object().at("parts").as_array()) {
      Told& told = parts[part.as_object().at("part").as_string().c_str()];
      told.serving = part.as_object().at("serving").as_bool();
      told.detail = part.as_object().at("detail").as_string();
    }
    return parts;
  }

  // Until the part is told to be blind without anybody asking for a proof; then what is told of it.
  std::string NoticedWithin30s(const std::string& part) {
    Told told{.serving = true, .detail = "not noticed within 30 s"};
    const auto began = SteadyClock::now();
    while (told.serving && SteadyClock::now() < began + std::chrono::seconds(30)) {
      if (const Told now = Parts().at(part); !now.serving) told = now;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    const std::chrono::duration<double> took = SteadyClock::now() - began;
    EXPECT_FALSE(told.serving) << part;
    std::cout << part << ": noticed after " << took.count() << " s: " << told.detail << "\n";
    return told.detail;
  }

  // The descriptor of the agent's own fanotify group, or -1.
  static int FanotifyGroup() {
    int group = -1;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      if (target.contains("fanotify")) group = std::stoi(entry.path().filename());
    }
    return group;
  }

  std::unique_ptr<AgentInProcess> agent_;
};

TEST_F(BlindAgent, WhoAsksForAProofIsToldWhichPartIsBlindAndWhy) {
  ASSERT_EQ(DetachFrom("sched_process_exec"), 1);
  const std::map<std::string, Told> parts = Parts({"--prove"});
  EXPECT_FALSE(parts.at("cordon.process").serving)
      << "a proof that fails takes as long as its canary is waited for";
  EXPECT_THAT(parts.at("cordon.process").detail, AllOf(HasSubstr("canary"), HasSubstr("its start")));
  EXPECT_TRUE(parts.at("cordon.integrity").serving) << "the others are proven all the same";
}

TEST_F(BlindAgent, ADetachedProgramAndRemovedMarksAreNoticedWithin30sAndNamed) {
  ASSERT_EQ(DetachFrom("sched_process_exec"), 1);
  // Again and again: with each mount on this machine, by other tests say, the sensor marks anew.
  const std::jthread remover([group = FanotifyGroup()](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (const unsigned kind : {unsigned{FAN_MARK_FILESYSTEM}, 0U, unsigned{FAN_MARK_MOUNT}})
        EXPECT_EQ(fanotify_mark(group, FAN_MARK_FLUSH | kind, 0, AT_FDCWD, nullptr), 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  EXPECT_THAT(NoticedWithin30s("cordon.process"), HasSubstr("its start"));
  EXPECT_THAT(NoticedWithin30s("cordon.integrity"), HasSubstr("was not seen within"));
}

TEST_F(BlindAgent, AReaderThatHearsNoMoreIsNoticedWithin30sAndNamed) {
  const int group = FanotifyGroup();
  const int nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ASSERT_EQ(dup3(nothing, group, O_CLOEXEC), group);
  close(nothing);
  ASSERT_EQ(DetachFrom("inet_sock_set_state"), 1);
  EXPECT_THAT(NoticedWithin30s("cordon.integrity"), HasSubstr("was not seen within"));
  EXPECT_THAT(NoticedWithin30s("cordon.flows"), HasSubstr("its TCP connection"));
}

}  // namespace
}  // namespace cordon::testing
