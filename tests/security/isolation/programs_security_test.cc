#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "agent/isolation/isolation.h"
#include "common/crypto/digest.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/actions.h"
#include "tests/support/caller.h"
#include "tests/support/temp_folder.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

constexpr const char* kListen = "tcp4 listen 0.0.0.0 443 hear say hear say";
const std::string kAsk = "tcp4 connect 10.9.0.2 443 say hear";
const std::string kAskInVain = "patience 300 " + kAsk;

v1::IsolateAction For(const std::string& program, const std::string& sha256 = {}) {
  auto action = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP,
                         {"10.9.0.2"}, 443);
  action.mutable_profile()->mutable_allow(0)->mutable_program()->set_path(program);
  action.mutable_profile()->mutable_allow(0)->mutable_program()->set_sha256(sha256);
  return action;
}

std::string HashOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return Sha256(std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

// Isolation as the agent runs it, on the kernel of the namespace that the thread is in.
struct Agent {
  explicit Agent(const std::filesystem::path& folder)
      : isolation({.filter = filter.get(),
                   .connections = connections.get(),
                   .clock = clock.get(),
                   .events = &events,
                   .escape = escape.get(),
                   .channel = &channel,
                   .marks = marks.get()},
                  {.state_file = folder / "isolation.state", .boot_id = "boot-1"}) {}

  std::unique_ptr<platform::PacketFilter> filter = platform::MakePacketFilter();
  std::unique_ptr<platform::ConnectionTable> connections = platform::MakeConnectionTable();
  std::unique_ptr<platform::ProgramMarks> marks = platform::MakeProgramMarks();
  std::unique_ptr<agent::EscapeProbe> escape = agent::MakeEscapeProbe();
  std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  RecordingSink events;
  FakeChannelProbe channel;
  agent::Isolation isolation;
};

class HostWithPrograms : public ::testing::Test {
 protected:
  HostWithPrograms()
      : marks_at_the_end_(lab_.host),
        pms_(InstallCaller(folder_ / "pms")),
        other_(InstallCaller(folder_ / "other")),
        inside_(lab_.host) {
    StartAgent();
  }

  void StartAgent() { agent_ = std::make_unique<Agent>(folder_.Path()); }
  void Order(const v1::IsolateAction& action, v1::Containment containment = v1::CONTAINMENT_CONTAINED) {
    ++sequence_;
    const auto receipt = agent_->isolation.Set(action, "order-" + std::to_string(sequence_), sequence_);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(receipt->containment(), containment) << receipt->ShortDebugString();
  }
  std::unique_ptr<Subprocess> Serve() {
    auto server = std::make_unique<Subprocess>(
        Call(other_, kListen),
        SubprocessOptions{.env = {}, .working_dir = {}, .net_namespace = lab_.peer.Name()});
    EXPECT_TRUE(server->WaitForOutput("listening"));
    return server;
  }
  bool Asks(const std::string& program) {
    const auto server = Serve();
    return Succeeds(lab_.host, program, kAsk);
  }
  bool AsksInVain(const std::string& program) {
    const auto server = Serve();
    return !Succeeds(lab_.host, program, kAskInVain);
  }

  TempFolder folder_;
  Lab lab_;
  MarksOf marks_at_the_end_;
  std::string pms_;
  std::string other_;
  InNetNamespace inside_;
  std::unique_ptr<Agent> agent_;
  uint64_t sequence_ = 0;
};

TEST_F(HostWithPrograms, ISO2_TheProgramsSessionGoesOnAndAnothersIsCut) {
  const auto start = [&](const std::string& program) {
    auto session = std::make_unique<Subprocess>(
        Call(program, "tcp4 connect 10.9.0.2 443 say hear ready say hear"),
        SubprocessOptions{.env = {}, .working_dir = {}, .net_namespace = lab_.host.Name()});
    EXPECT_TRUE(session->WaitForOutput("ready")) << session->Output();
    return session;
  };
  auto server = Serve();
  const auto own = start(pms_);
  Established foreign(lab_.host, {lab_.peer, "10.9.0.2", 444});
  auto action = For(pms_);
  action.mutable_profile()->mutable_allow(0)->add_ports()->set_first(444);
  action.mutable_profile()->mutable_allow(0)->mutable_ports(1)->set_last(444);
  ASSERT_TRUE(foreign.Reaches(true, kExpectArrival)) << "the positive control";
  Order(action);
  EXPECT_TRUE(foreign.EndIsDead(false)) << "this test's own program is none that the rule names";
  EXPECT_FALSE(foreign.Reaches(false, kExpectNothing));
  own->Write("\n");
  EXPECT_EQ(own->Wait(), 0) << own->Output();
}

TEST_F(HostWithPrograms, ISO7_AnotherHashIsShutOutAndTheReceiptSaysWhy) {
  ASSERT_TRUE(Asks(pms_)) << "the positive control";
  Order(For(pms_, HashOf(pms_)));
  EXPECT_TRUE(Asks(pms_));
  EXPECT_TRUE(agent_->isolation.ReadReceipt().reasons().empty());
  Order(For(pms_, Sha256("another content")));
  EXPECT_TRUE(AsksInVain(pms_));
  const v1::Receipt receipt = agent_->isolation.ReadReceipt();
  ASSERT_EQ(receipt.reasons_size(), 1);
  EXPECT_NE(receipt.reasons(0).find(pms_), std::string::npos);
  EXPECT_NE(receipt.reasons(0).find("SHA-256"), std::string::npos);
}

TEST_F(HostWithPrograms, AChangedProgramIsShutOutAtOnceAndForGoodWhenItsHashWasNamed) {
  Order(For(pms_, HashOf(pms_)));
  ASSERT_TRUE(Asks(pms_)) << "the positive control";
  std::ofstream(pms_, std::ios::app) << "an intruder's line";
  EXPECT_TRUE(AsksInVain(pms_));
  agent_->isolation.Tick();
  EXPECT_TRUE(AsksInVain(pms_));
  EXPECT_EQ(agent_->isolation.ReadReceipt().reasons_size(), 1);
}

TEST_F(HostWithPrograms, AnUpgradedProgramIsLetInAgainByTheNextTick) {
  Order(For(pms_));
  std::filesystem::remove(pms_);
  InstallCaller(pms_);
  EXPECT_TRUE(AsksInVain(pms_)) << "the window that docs/levels.md names";
  agent_->isolation.Tick();
  EXPECT_TRUE(Asks(pms_));
}

// ISO-7: what root does to the marks is seen, told and put right.
TEST_F(HostWithPrograms, ISO7_MarksThatSomebodyTookAwayAreNoticedAndPutBack) {
  Order(For(pms_));
  {
    const InNetNamespace same(lab_.host);
    ASSERT_TRUE(platform::MakeProgramMarks()->Apply({}).ok());
  }
  EXPECT_TRUE(AsksInVain(pms_));
  EXPECT_EQ(agent_->isolation.ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
  agent_->isolation.Tick();
  EXPECT_EQ(agent_->isolation.ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_TRUE(Asks(pms_));
  {
    const InNetNamespace same(lab_.host);
    ASSERT_TRUE(platform::MakeProgramMarks()->Apply({{.path = other_, .sha256 = {}}}).ok());
  }
  EXPECT_EQ(agent_->isolation.ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
  agent_->isolation.Tick();
  EXPECT_EQ(MarkAfter(lab_.host, other_, "tcp4"), 0U);
}

// Run by ISO5 below, in a namespace and with programs that the environment names.
TEST(ProgramsVictim, DISABLED_IsolatesAndWaitsToBeKilled) {
  Agent agent(std::getenv("CORDON_TEST_FOLDER"));
  ASSERT_TRUE(agent.isolation.Set(For(std::getenv("CORDON_TEST_PROGRAM")), "order-1", 1).ok());
  printf("isolated\n");
  fflush(stdout);
  pause();
}

TEST_F(HostWithPrograms, ISO5_RulesForProgramsOutliveAKilledAgentAndTheNextOneTakesThemOver) {
  Subprocess victim({"/proc/self/exe", "--gtest_also_run_disabled_tests",
                     "--gtest_filter=ProgramsVictim.DISABLED_IsolatesAndWaitsToBeKilled"},
                    {.env = {{"CORDON_TEST_FOLDER", folder_.Path().string()}, {"CORDON_TEST_PROGRAM", pms_}},
                     .working_dir = {},
                     .net_namespace = lab_.host.Name()});
  ASSERT_TRUE(victim.WaitForOutput("isolated")) << victim.Output() << victim.Errors();
  victim.Kill();
  EXPECT_TRUE(Asks(pms_));
  EXPECT_TRUE(AsksInVain(other_));
  StartAgent();
  ASSERT_TRUE(agent_->isolation.Restore().ok());
  EXPECT_EQ(agent_->isolation.ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_TRUE(Asks(pms_));
  EXPECT_TRUE(AsksInVain(other_));
  ASSERT_TRUE(agent_->isolation.Release("order-2", 2).ok());
  EXPECT_TRUE(Asks(other_));
  EXPECT_EQ(MarkAfter(lab_.host, pms_, "tcp4"), 0U) << "nothing is left on the root cgroup";
}

}  // namespace
}  // namespace cordon::testing
