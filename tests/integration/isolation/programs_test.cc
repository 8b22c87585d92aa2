// Rules for a program on the real kernel: its flows pass, those of every other program to the same address
// and port do not, both ways, TCP and UDP, IPv4 and IPv6.

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/integration/isolation/lab.h"
#include "tests/support/caller.h"
#include "tests/support/temp_folder.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;

// How long the caller waits for what is expected, and for what is not.
const std::string kOpen;
const std::string kShut = "patience 300 ";

struct Family {
  const char* name;
  const char* number;  // of the caller's verbs: tcp4, udp6
  std::string host;
  std::string peer;
  std::string any;
};

class ProgramRules : public ::testing::TestWithParam<Family> {
 protected:
  ProgramRules() : pms_(InstallCaller(folder_ / "pms")), other_(InstallCaller(folder_ / "other")) {}

  FilterPolicy Policy() const {
    const std::vector<std::string> peers = {"10.9.0.2", "fd09::2"};
    FilterPolicy policy{.level = Level::kEssential,
                        .allow = {Allow(FlowDirection::kOut, FlowProtocol::kTcp, peers, {{443, 443}}),
                                  Allow(FlowDirection::kOut, FlowProtocol::kUdp, peers, {{123, 123}}),
                                  Allow(FlowDirection::kIn, FlowProtocol::kTcp, peers, {{104, 104}}),
                                  Allow(FlowDirection::kIn, FlowProtocol::kUdp, peers, {{514, 514}}),
                                  Allow(FlowDirection::kOut, FlowProtocol::kIcmpEcho, peers)},
                        .controllers = {}};
    for (platform::FilterRule& rule : policy.allow) rule.program = 0;
    policy.programs = {{.path = pms_, .sha256 = {}}};
    return policy;
  }

  void Isolate() {
    ASSERT_TRUE(marks_->Apply(Policy().programs).ok());
    const absl::Status applied = lab_.filter->Apply(Policy());
    ASSERT_TRUE(applied.ok()) << applied;
    ASSERT_TRUE(lab_.filter->ReadBack(Policy())->matches)
        << ::testing::PrintToString(lab_.filter->ReadBack(Policy())->differences);
  }

  static std::string Verb(const char* protocol) { return std::string(protocol) + GetParam().number; }
  static std::string At(const std::string& address, int port) {
    return " " + address + " " + std::to_string(port) + " ";
  }
  static std::unique_ptr<Subprocess> Start(const NetNamespace& in, const std::string& program,
                                           const std::string& words, const std::string& until) {
    auto started = std::make_unique<Subprocess>(
        Call(program, words), SubprocessOptions{.env = {}, .working_dir = {}, .net_namespace = in.Name()});
    if (!started->WaitForOutput(until)) ADD_FAILURE() << started->Output() << started->Errors();
    return started;
  }

  // A question and its answer over a connection that `program` opens.
  bool Asks(const std::string& program, const std::string& patience = kOpen) {
    const auto server =
        Start(lab_.peer, other_, Verb("tcp") + " listen" + At(GetParam().any, 443) + "hear say", "listening");
    return Succeeds(lab_.host, program,
                    patience + Verb("tcp") + " connect" + At(GetParam().peer, 443) + "say hear");
  }
  // The same by datagrams, from a socket that is not connected.
  bool AsksByDatagram(const std::string& program, const std::string& patience = kOpen) {
    const auto server =
        Start(lab_.peer, other_, Verb("udp") + " bind" + At(GetParam().any, 123) + "hear say", "bound");
    return Succeeds(lab_.host, program, patience + Verb("udp") + " send" + At(GetParam().peer, 123) + "hear");
  }
  // A question from outside that `program` answers.
  bool Answers(const std::string& program, const std::string& patience = kOpen) {
    const auto server = Start(lab_.host, program,
                              Verb("tcp") + " listen" + At(GetParam().any, 104) + "hear say", "listening");
    return Succeeds(lab_.peer, other_,
                    patience + Verb("tcp") + " connect" + At(GetParam().host, 104) + "say hear");
  }
  bool AnswersByDatagram(const std::string& program, const std::string& patience = kOpen) {
    const auto server =
        Start(lab_.host, program, Verb("udp") + " bind" + At(GetParam().any, 514) + "hear say", "bound");
    return Succeeds(lab_.peer, other_, patience + Verb("udp") + " send" + At(GetParam().host, 514) + "hear");
  }

  Lab lab_;
  TempFolder folder_;
  std::string pms_;
  std::string other_;
  MarksOf marks_{lab_.host};
};

TEST_P(ProgramRules, ISO3_OpenForTheProgramAndForNoOther) {
  for (const std::string& program : {pms_, other_}) {
    EXPECT_TRUE(Asks(program) && AsksByDatagram(program) && Answers(program) && AnswersByDatagram(program))
        << "the positive control";
  }
  Isolate();
  EXPECT_TRUE(Asks(pms_));
  EXPECT_TRUE(AsksByDatagram(pms_));
  EXPECT_TRUE(Answers(pms_));
  EXPECT_TRUE(AnswersByDatagram(pms_));
  EXPECT_FALSE(Asks(other_, kShut));
  EXPECT_FALSE(AsksByDatagram(other_, kShut));
  EXPECT_FALSE(Answers(other_, kShut));
  EXPECT_FALSE(AnswersByDatagram(other_, kShut));
}

TEST_P(ProgramRules, ISO3_ACopyAndAChangedFileAreShutOutAndAChildIsNot) {
  Isolate();
  ASSERT_TRUE(Asks(pms_)) << "the positive control";
  EXPECT_FALSE(Asks(InstallCaller(folder_ / "copy"), kShut));
  EXPECT_TRUE(Succeeds(lab_.host, pms_, "fork " + Verb("udp") + " send" + At(GetParam().peer, 123)));
  {
    const auto server =
        Start(lab_.peer, other_, Verb("tcp") + " listen" + At(GetParam().any, 443) + "hear", "listening");
    EXPECT_FALSE(Succeeds(
        lab_.host, pms_,
        ("fork exec " + other_ + " ") + kShut + Verb("tcp") + " connect" + At(GetParam().peer, 443)));
    EXPECT_FALSE(
        Succeeds(lab_.host, pms_,
                 Verb("tcp") + " pass " + other_ + " " + kShut + "connect" + At(GetParam().peer, 443)))
        << "a socket that another program connects";
    EXPECT_TRUE(Succeeds(lab_.host, pms_,
                         Verb("tcp") + " connect" + At(GetParam().peer, 443) + "pass " + other_ + " say"))
        << "a connection that is handed on";
  }
  std::ofstream(pms_, std::ios::app) << "x";
  EXPECT_FALSE(Asks(pms_, kShut));
  EXPECT_FALSE(AnswersByDatagram(pms_, kShut));
}

// What a service listens on, and a session that is open, goes on under the level.
TEST_P(ProgramRules, ISO1_WhatTheProgramHadOpenBeforeGoesOn) {
  const auto service =
      Start(lab_.host, pms_, Verb("tcp") + " listen" + At(GetParam().any, 104) + "hear say", "listening");
  const auto peer =
      Start(lab_.peer, other_, Verb("tcp") + " listen" + At(GetParam().any, 443) + "hear say hear say",
            "listening");
  const auto session =
      Start(lab_.host, pms_, Verb("tcp") + " connect" + At(GetParam().peer, 443) + "say hear ready say hear",
            "ready");
  const auto question =
      Start(lab_.host, pms_, Verb("udp") + " ready send" + At(GetParam().peer, 123), "ready");
  Isolate();
  session->Write("\n");
  EXPECT_EQ(session->Wait(), 0) << session->Output();
  EXPECT_TRUE(Succeeds(lab_.peer, other_, Verb("tcp") + " connect" + At(GetParam().host, 104) + "say hear"));
  question->Write("\n");
  EXPECT_EQ(question->Wait(), 0) << question->Output();
}

// The host closes first: the other side's last packets still find their way, so that it does not keep half a
// connection for long.
TEST_P(ProgramRules, AConnectionThatTheHostClosesFirstIsClosedOnTheOtherSideToo) {
  Isolate();
  const auto server =
      Start(lab_.peer, other_, Verb("tcp") + " listen" + At(GetParam().any, 443) + "hear ready", "listening");
  ASSERT_TRUE(Succeeds(lab_.host, pms_, Verb("tcp") + " connect" + At(GetParam().peer, 443) + "say"));
  ASSERT_TRUE(server->WaitForOutput("ready"));
  server->Write("\n");
  EXPECT_EQ(server->Wait(), 0);
  std::string left;
  for (int tries = 0; tries < 100; ++tries) {
    left = lab_.peer.Run({"ss", "-Htn", "state", "last-ack", "sport", "=", ":443"});
    if (left.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(left, "");
}

INSTANTIATE_TEST_SUITE_P(Families, ProgramRules,
                         ::testing::Values(Family{"IPv4", "4", "10.9.0.1", "10.9.0.2", "0.0.0.0"},
                                           Family{"IPv6", "6", "fd09::1", "fd09::2", "::"}),
                         [](const auto& family) { return family.param.name; });

TEST(ProgramRulesEcho, ISO3_OneProgramMayAskForAnEcho) {
  Lab lab;
  TempFolder folder;
  const std::string tool = InstallCaller(folder / "tool");
  const std::string other = InstallCaller(folder / "other");
  MarksOf marks(lab.host);
  FilterPolicy policy{.level = Level::kEssential,
                      .allow = {Allow(FlowDirection::kOut, FlowProtocol::kIcmpEcho, {"10.9.0.2"})},
                      .controllers = {}};
  policy.allow[0].program = 0;
  policy.programs = {{.path = tool, .sha256 = {}}};
  ASSERT_TRUE(marks->Apply(policy.programs).ok());
  const std::string ask = "icmp4 send 10.9.0.2 0 hear";
  ASSERT_TRUE(Succeeds(lab.host, other, ask)) << "the positive control";
  ASSERT_TRUE(lab.filter->Apply(policy).ok());
  EXPECT_TRUE(Succeeds(lab.host, tool, ask));
  EXPECT_FALSE(Succeeds(lab.host, other, kShut + ask));
}

}  // namespace
}  // namespace cordon::testing
