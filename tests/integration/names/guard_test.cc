// What the profile's names open, and for how long.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/names/names_lab.h"
#include "tests/support/subprocess.h"

namespace cordon::testing {
namespace {

using Addresses = std::set<std::string>;

TEST_F(NamesTest, AListedNameIsAnsweredAndItsAddressesAreOpenBeforeTheAnswerCame) {
  resolver_->FallSilent();
  SetNames({kPms});
  EXPECT_TRUE(IsShut("10.9.0.2")) << "nobody has been asked yet";
  resolver_->FallSilent(false);
  const DnsReply reply = Ask(kPms);
  EXPECT_EQ(reply.addresses, Addresses{"10.9.0.2"});
  EXPECT_TRUE(Opens("10.9.0.2")) << "at once";
  EXPECT_TRUE(IsShut("10.9.0.2", 444)) << "the rule's port only";
  EXPECT_TRUE(IsShut("10.9.0.3")) << "another address";
  EXPECT_EQ(Ask(kPms, kTypeAaaa).addresses, Addresses{"fd09::2"});
  EXPECT_TRUE(Opens("fd09::2"));
  EXPECT_FALSE(stranger_->WasAsked(kPms));
  EXPECT_EQ(agent_->Receipt().containment(), v1::CONTAINMENT_CONTAINED) << "the sets are read back too";
}

TEST_F(NamesTest, ExactNamesAreOpenForProgramsThatRememberTheirAddress) {
  SetNames({kPms});
  EXPECT_TRUE(agent_->SoonReceipt([&](const auto&) { return !IsShut("10.9.0.2"); })) << "nobody has asked";
}

TEST_F(NamesTest, FollowsAliasesAndServesWildcards) {
  resolver_->Aliases("a1.cloud.example.vet", "edge.cdn.example");
  resolver_->Aliases("edge.cdn.example", "n7.cdn.example");
  resolver_->Says("n7.cdn.example", {"10.9.0.3"});
  SetNames({"*.cloud.example.vet"});
  EXPECT_TRUE(IsShut("10.9.0.3"));
  EXPECT_EQ(Ask("A1.Cloud.example.vet").addresses, Addresses{"10.9.0.3"});
  EXPECT_TRUE(Opens("10.9.0.3"));
  EXPECT_EQ(Ask("edge.cdn.example").code, 5) << "what an alias leads to is not listed itself";
  EXPECT_EQ(Ask("cloud.example.vet").code, 5);
}

TEST_F(NamesTest, ManyAddressesComeByTcpWhereADatagramIsTooSmall) {
  std::vector<std::string> many = {"10.9.0.2", "10.9.0.3"};
  for (int i = 1; i <= 80; ++i) many.push_back("203.0.113." + std::to_string(i));
  resolver_->Says(kPms, many);
  resolver_->TruncateAbove(20);
  SetNames({kPms});
  const DnsReply datagram = Ask(kPms);
  EXPECT_TRUE(datagram.truncated);
  EXPECT_TRUE(datagram.addresses.empty());
  const DnsReply whole = Ask(kPms, kTypeA, true);
  EXPECT_EQ(whole.addresses, Addresses(many.begin(), many.end()));
  EXPECT_FALSE(whole.truncated);
  EXPECT_GE(resolver_->AskedByTcp(), 1U);
  EXPECT_TRUE(Opens("10.9.0.2"));
  EXPECT_TRUE(Opens("10.9.0.3"));
}

TEST_F(NamesTest, OtherTypesGetNoRecordsAndNobodyIsAsked) {
  SetNames({kPms});
  const DnsReply https = Ask(kPms, kTypeHttps);
  EXPECT_EQ(https.code, 0);
  EXPECT_TRUE(https.addresses.empty());
  EXPECT_EQ(Ask(kPms, kTypeText).code, 5);
}

TEST_F(NamesTest, TheSystemsOwnLookUpWorksAndFailsAtOnce) {
  SetNames({kPms});
  std::ofstream(folder_ / "resolv.conf") << "nameserver 127.0.0.53\n";
  const auto look_up = [&](const std::string& name) {
    const std::string script = "mount --bind " + (folder_ / "resolv.conf").string() +
                               " /etc/resolv.conf && exec getent ahostsv4 " + name;
    return RunCommand({"unshare", "--mount", "sh", "-c", script}, {.net_namespace = host_.Name()});
  };
  const CommandResult found = look_up(kPms);
  EXPECT_EQ(found.status, 0) << found.errors;
  EXPECT_NE(found.output.find("10.9.0.2"), std::string::npos) << found.output;
  EXPECT_EQ(look_up("evil.example").status, 2) << "no such host";
}

TEST_F(NamesTest, AnswersThatLieOpenNothing) {
  resolver_->SendFirst([](uint16_t id, const std::string& name, uint16_t type) {
    const std::string evil = WireAddress(name, "10.9.0.4", 60);
    std::vector<std::string> lies;
    if (type != kTypeA) return lies;
    lies.push_back(WireAnswer(id + 1U, name, type, {evil}));           // another id
    lies.push_back(WireAnswer(id, "bank.example", type, {evil}));      // another question
    lies.push_back(WireAnswer(id, name, type, {evil}, 0x0100));        // a query
    lies.push_back(WireAnswer(id, name, type, {evil}).substr(0, 30));  // cut
    lies.emplace_back("garbage");
    return lies;
  });
  SetNames({kPms});
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.2"});
  EXPECT_TRUE(Opens("10.9.0.2")) << "the positive control";
  EXPECT_TRUE(IsShut("10.9.0.4"));
}

TEST_F(NamesTest, RecordsOfOtherNamesInAnAnswerOpenNothing) {
  resolver_->SendFirst([](uint16_t id, const std::string& name, uint16_t type) {
    if (type != kTypeA) return std::vector<std::string>();
    return std::vector{WireAnswer(
        id, name, type, {WireAddress("bank.example", "10.9.0.4", 60), WireAddress(name, "10.9.0.3", 60)})};
  });
  SetNames({kPms});
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.3"});
  EXPECT_TRUE(Opens("10.9.0.3")) << "the positive control";
  EXPECT_TRUE(IsShut("10.9.0.4"));
}

TEST_F(NamesTest, ANameThatLeadsToThisHostIsNotFollowed) {
  resolver_->Says(kPms, {"10.9.0.1", "127.0.0.1", "169.254.169.254", "224.0.0.251", "0.0.0.0", "10.9.0.3"});
  SetNames({kPms});
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.3"});
  EXPECT_TRUE(Opens("10.9.0.3")) << "the positive control";
  const std::string rules = host_.Run({"nft", "list", "ruleset"});
  EXPECT_NE(rules.find("10.9.0.3"), std::string::npos);
  for (const char* bad : {"10.9.0.1 ", "169.254.169.254", "224.0.0.251"})
    EXPECT_EQ(rules.find(bad), std::string::npos) << bad;
}

TEST_F(NamesTest, AnAddressIsShutWhenItsRecordHasLapsedButNotUnderALiveFlow) {
  resolver_->Says(kPms, {"10.9.0.2", "10.9.0.3"}, 5);
  SetNames({kPms});
  ASSERT_EQ(Ask(kPms).addresses.size(), 2U);
  {
    Established flow(host_, {world_, "10.9.0.2", 443});
    resolver_->Says(kPms, {"10.9.0.4"}, 5);
    agent_->Pass(30);
    EXPECT_TRUE(Opens("10.9.0.3")) << "no record lives shorter than a minute here";
    agent_->Pass(300);
    ASSERT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.4"});
    EXPECT_TRUE(IsShut("10.9.0.3"));
    EXPECT_TRUE(flow.Reaches(true, kExpectArrival));
    EXPECT_TRUE(flow.Reaches(false, kExpectArrival));
    EXPECT_TRUE(Opens("10.9.0.4"));
  }
  agent_->Pass(600);
  EXPECT_TRUE(IsShut("10.9.0.2")) << "the flow has ended";
}

TEST_F(NamesTest, ISO5_ARestartOfTheAgentClosesNothingThatIsOpen) {
  SetNames({kPms});
  ASSERT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.2"});
  Established flow(host_, {world_, "10.9.0.2", 443});
  agent_->Pass(2);  // what is open has been saved
  std::ifstream port_file(folder_ / "dns-guard.port");
  int port = 0;
  ASSERT_TRUE(port_file >> port);
  EXPECT_LT(port, 1024) << "no program without rights can take it in between";

  agent_.reset();
  EXPECT_TRUE(flow.Reaches(true, kExpectArrival));
  EXPECT_TRUE(Opens("10.9.0.2")) << "without an agent";
  EXPECT_TRUE(IsShut("10.9.0.3"));
  EXPECT_FALSE(Ask("evil.example").came) << "nobody answers, and nothing leaves";
  EXPECT_FALSE(stranger_->WasAsked("evil.example"));

  resolver_->FallSilent();
  host_.Run({"nft", "flush", "ruleset"});  // a reboot
  StartAgent();
  ASSERT_TRUE(agent_->Restore().ok());
  EXPECT_EQ(agent_->Receipt().containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_TRUE(Opens("10.9.0.2")) << "although no resolver answers";
  EXPECT_TRUE(flow.Reaches(false, kExpectArrival));
  EXPECT_TRUE(IsShut("10.9.0.3"));
  resolver_->FallSilent(false);
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.2"});
  std::ifstream again_file(folder_ / "dns-guard.port");
  int again = 0;
  ASSERT_TRUE(again_file >> again);
  EXPECT_EQ(again, port);
}

TEST_F(NamesTest, ResolversThatDhcpBringsAreAskedFromThenOn) {
  SetNames({kPms});
  ASSERT_TRUE(Ask(kPms).came);
  DnsServer other(world_, "10.9.0.54");
  other.Says(kPms, {"10.9.0.3"});
  agent_->ResolversAreNow({"10.9.0.54"});
  agent_->Pass(11);
  EXPECT_TRUE(agent_->SoonReceipt([&](const auto&) { return other.WasAsked(kPms); }));
  EXPECT_EQ(agent_->Receipt().containment(), v1::CONTAINMENT_CONTAINED);
  agent_->Pass(400);
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.3"});
}

TEST_F(NamesTest, TheNextResolverIsAskedWhenOneIsDead) {
  StartAgent({"10.9.0.54", "fd09::53"});  // nobody listens at the first
  DnsServer second(world_, "fd09::53");
  second.Says(kPms, {"10.9.0.3"});
  SetNames({kPms});
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.3"});
}

TEST_F(NamesTest, WhatWasOpenStaysOpenWhileNoResolverAnswers) {
  resolver_->Says(kPms, {"10.9.0.2"}, 5);
  SetNames({kPms});
  ASSERT_TRUE(Ask(kPms).came);
  resolver_->FallSilent();
  agent_->Pass(70);  // the agent asks again
  EXPECT_TRUE(agent_->SoonReceipt([](const v1::Receipt& receipt) {
    return receipt.reasons_size() == 1 && receipt.containment() == v1::CONTAINMENT_CONTAINED;
  })) << "a name that cannot be looked up is a note, not a leak: "
      << agent_->Receipt().ShortDebugString();
  agent_->Pass(250);  // far beyond the record's life
  EXPECT_TRUE(Opens("10.9.0.2"));
  EXPECT_EQ(Ask(kPms).addresses, Addresses{"10.9.0.2"});
}

TEST_F(NamesTest, TheControllersNameCanBeLookedUpAndOpensNothing) {
  resolver_->Says("controller.example", {"10.9.0.3"});
  SetNames({kPms});
  EXPECT_EQ(Ask("controller.example").addresses, Addresses{"10.9.0.3"});
  EXPECT_TRUE(IsShut("10.9.0.3"));
}

TEST_F(NamesTest, NoLateralOpensExactNamesAndLeavesTheSystemsResolverAlone) {
  resolver_->Says("rdp.example.vet", {"10.9.0.3"});
  const auto receipt =
      agent_->Set(Names({"rdp.example.vet", "*.x.example.vet"}, 3389, v1::LEVEL_NO_LATERAL), 1);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_TRUE(agent_->SoonReceipt([&](const auto&) { return !IsShut("10.9.0.3", 3389); }));
  EXPECT_TRUE(IsShut("10.9.0.2", 3389));
  EXPECT_EQ(Ask("evil.example").addresses, Addresses{"10.9.0.4"});
  EXPECT_TRUE(stranger_->WasAsked("evil.example"));
}

TEST_F(NamesTest, ReleaseGivesTheSystemItsResolverBack) {
  SetNames({kPms});
  EXPECT_EQ(Ask("evil.example").code, 5);
  ASSERT_TRUE(agent_->Release(++sequence_).ok());
  EXPECT_EQ(Ask("evil.example").addresses, Addresses{"10.9.0.4"});
  EXPECT_TRUE(Opens("10.9.0.3", 445));
  EXPECT_EQ(host_.Run({"nft", "list", "ruleset"}).find("cordon"), std::string::npos);
}

TEST_F(NamesTest, ControllerOnlyAndDarkHaveNoGuard) {
  SetNames({kPms});
  ASSERT_TRUE(Ask(kPms).came) << "the positive control";
  for (const v1::Level level : {v1::LEVEL_CONTROLLER_ONLY, v1::LEVEL_DARK}) {
    ASSERT_TRUE(agent_->Set(Names({kPms}, 443, level), ++sequence_).ok());
    EXPECT_FALSE(AskDns(host_, {.server = kResolver, .name = kPms, .patience = kExpectNothing}).came);
    EXPECT_TRUE(IsShut("10.9.0.2"));
  }
}

// A controller that moves must not strand the hosts that are held most tightly.
TEST_F(NamesTest, ISO4_TheAgentLooksTheControllersNamesUpWherePort53IsShut) {
  resolver_->Says("controller.example", {"10.9.0.3", "fd09::2"});
  for (const v1::Level level : {v1::LEVEL_CONTROLLER_ONLY, v1::LEVEL_ESSENTIAL}) {
    const auto receipt = agent_->Set(Isolate(level), ++sequence_);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_CONTAINED) << receipt->ShortDebugString();
    const auto found = agent_->LookUpController("Controller.example");
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_THAT(*found, ::testing::UnorderedElementsAre(boost::asio::ip::make_address("10.9.0.3"),
                                                        boost::asio::ip::make_address("fd09::2")));
    EXPECT_FALSE(
        AskDns(host_, {.server = kResolver, .name = kPms, .type = kTypeA, .patience = kExpectNothing}).came)
        << "no other program's question leaves";
    EXPECT_EQ(agent_->LookUpController("evil.example").status().code(), absl::StatusCode::kNotFound);
  }
  ASSERT_TRUE(agent_->Set(Isolate(v1::LEVEL_DARK), ++sequence_).ok());
  EXPECT_EQ(agent_->LookUpController("controller.example").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(resolver_->WasAsked("evil.example"));
}

TEST_F(NamesTest, ISO4_OtherResolversAreAskedForTheControllersNamesWhenTheHostHasOthers) {
  const DnsServer other(world_, "10.9.0.54");
  ASSERT_TRUE(agent_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY), ++sequence_).ok());
  agent_->ResolversAreNow({"10.9.0.54"});
  agent_->Pass(11);
  static_cast<void>(agent_->LookUpController("controller.example"));
  EXPECT_TRUE(other.WasAsked("controller.example"));
  EXPECT_FALSE(resolver_->WasAsked("controller.example"));
  EXPECT_EQ(agent_->Receipt().containment(), v1::CONTAINMENT_CONTAINED);
}

// What the profile allows by names works only with a guard that answers, and an address that is not stopped.
TEST_F(NamesTest, ISO7_TheReceiptShowsThatTheGuardAnswersAndWhatItOpenedPasses) {
  SetNames({kPms});
  const auto shows = [&](const std::string& name, const std::string& remote, v1::Probe::Outcome outcome) {
    return agent_->SoonReceipt([&](const v1::Receipt& receipt) {
      return std::ranges::any_of(receipt.probes(), [&](const v1::Probe& probe) {
        return probe.name() == name && probe.remote() == remote && probe.outcome() == outcome;
      });
    });
  };
  const auto prove = [&] {
    return agent_->Do([](agent::Isolation& isolation) { return isolation.Prove(); });
  };
  agent_->Pass(1);
  EXPECT_TRUE(shows("dns guard", "", v1::Probe::OUTCOME_PASSED));
  EXPECT_TRUE(shows("tcp4 allowed", "10.9.0.2:443", v1::Probe::OUTCOME_PASSED));
  EXPECT_TRUE(shows("tcp6 allowed", "[fd09::2]:443", v1::Probe::OUTCOME_PASSED));
  EXPECT_EQ(agent_->Receipt().reasons_size(), 0) << agent_->Receipt().ShortDebugString();

  // Past the redirect its port is the guard's own.
  host_.Run({"nft",
             "add table inet others; add chain inet others in { type filter hook input priority 0; };"
             "add rule inet others in iifname lo udp dport 900-1011 drop"});
  EXPECT_TRUE(prove().ok()) << "it is closed all the same";
  EXPECT_TRUE(shows("dns guard", "", v1::Probe::OUTCOME_NO_ANSWER));
  const v1::Receipt receipt = agent_->Receipt();
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt.reasons_size(), 1) << receipt.ShortDebugString();
  EXPECT_TRUE(receipt.reasons(0).starts_with("the DNS guard does not answer")) << receipt.reasons(0);
  host_.Run({"nft", "delete table inet others"});
  EXPECT_TRUE(prove().ok());
  EXPECT_TRUE(shows("dns guard", "", v1::Probe::OUTCOME_PASSED));
}

}  // namespace
}  // namespace cordon::testing
