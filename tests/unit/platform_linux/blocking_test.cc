#include "platform/linux/obstructions/blocking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/linux/obstructions/routes.h"
#include "platform/shared/misleading_hosts.h"
#include "tests/support/policies.h"

namespace cordon::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Endpoint kController = testing::At("192.0.2.7", 8443);
constexpr uint32_t kMark = 0x0c04d071;

Fit Out(std::string_view rule) {
  return FitOf(rule, kController, true, kMark);
}

TEST(FitOf, KnowsRulesThatNameTheChannel) {
  EXPECT_EQ(Out("ip daddr 192.0.2.7 drop"), Fit::kChannel);
  EXPECT_EQ(Out("ip daddr 192.0.2.0/24 counter packets 5 bytes 300 drop"), Fit::kChannel);
  EXPECT_EQ(Out("ip daddr { 10.0.0.1, 192.0.2.1-192.0.2.9 } drop"), Fit::kChannel);
  EXPECT_EQ(Out("tcp dport { 80, 8000-9000 } reject with tcp reset"), Fit::kChannel);
  EXPECT_EQ(Out("ip daddr != 10.0.0.0/8 drop"), Fit::kChannel);
  EXPECT_EQ(Out("meta mark 0x0c04d071 drop"), Fit::kChannel);
  EXPECT_EQ(Out("meta l4proto tcp tcp dport 8443 drop"), Fit::kChannel);
  EXPECT_EQ(FitOf("ip saddr 192.0.2.7 tcp sport 8443 drop", kController, false, kMark), Fit::kChannel);
}

TEST(FitOf, KnowsRulesThatCannotHitIt) {
  EXPECT_EQ(Out("ip daddr 192.0.2.8 drop"), Fit::kNo);
  EXPECT_EQ(Out("ip6 daddr 2001:db8::7 drop"), Fit::kNo);
  EXPECT_EQ(Out("udp dport 8443 drop"), Fit::kNo);
  EXPECT_EQ(Out("tcp dport 22 drop"), Fit::kNo);
  EXPECT_EQ(Out("tcp dport != 8443 drop"), Fit::kNo);
  EXPECT_EQ(Out("ip daddr 192.0.2.7 udp dport 53 drop"), Fit::kNo);
  EXPECT_EQ(Out("meta mark 7 drop"), Fit::kNo);
}

TEST(FitOf, LeavesOpenWhatItDoesNotUnderstand) {
  EXPECT_EQ(Out("ct state invalid drop"), Fit::kMaybe);
  EXPECT_EQ(Out("ip daddr @blocked drop"), Fit::kMaybe);
  EXPECT_EQ(Out("oifname \"eth0\" drop"), Fit::kMaybe);
  EXPECT_EQ(Out("counter packets 0 bytes 0 drop"), Fit::kAll);
  EXPECT_EQ(Out(""), Fit::kAll);
  EXPECT_EQ(Out("{ { {"), Fit::kMaybe);
}

BaseChain Output(const std::string& policy = "accept") {
  return {.family = "inet",
          .table = "admins",
          .name = "out",
          .type = "filter",
          .hook = "output",
          .policy = policy};
}

TEST(BlockingRules, NamesTableChainAndRule) {
  EXPECT_THAT(
      BlockingRules({Output()}, {{"out", "ip daddr 192.0.2.7 drop"}}, {kController}, kMark),
      ElementsAre(
          "a rule of somebody else stops packets to the controller 192.0.2.7:8443: table inet admins, "
          "chain out: ip daddr 192.0.2.7 drop"));
  EXPECT_THAT(
      BlockingRules({Output()}, {{"out", "ip daddr 192.0.2.8 drop"}, {"out", "ct state invalid drop"}},
                    {kController}, kMark),
      IsEmpty());
}

TEST(BlockingRules, LooksIntoChainsThatAreJumpedTo) {
  const auto found =
      BlockingRules({Output()}, {{"out", "jump more"}, {"more", "tcp dport 8443 drop"}, {"more", "drop"}},
                    {kController}, kMark);
  EXPECT_THAT(found, ElementsAre(HasSubstr("chain more: tcp dport 8443 drop")));
}

TEST(BlockingRules, NamesAPolicyThatDropsUnlessSomethingAcceptsTheChannel) {
  EXPECT_THAT(BlockingRules({Output("drop")}, {{"out", "udp dport 53 accept"}}, {kController}, kMark),
              ElementsAre(HasSubstr("policy of somebody else's chain")));
  EXPECT_THAT(
      BlockingRules({Output("drop")}, {{"out", "ct state established,related accept"}}, {kController}, kMark),
      IsEmpty());
}

TEST(MisleadingHosts, NamesFileLineAndAddress) {
  const std::string text =
      "127.0.0.1 localhost\n# 10.0.0.1 ctl.example\n10.0.0.1\tother ctl.example # x\n"
      "192.0.2.7 ctl.example\nnonsense ctl.example\n";
  EXPECT_THAT(MisleadingHosts(text, "/etc/hosts", {"ctl.example"}, {{"ctl.example", kController.address}}),
              ElementsAre("line 3 of /etc/hosts sends the controller's name ctl.example to 10.0.0.1"));
}

TEST(MisleadingHosts, CapitalsDoNotCountAndWhatNeverAnsweredIsNamed) {
  const std::string text = "192.0.2.7 CTL.example\n10.0.0.1 Ctl.Example\n";
  EXPECT_THAT(MisleadingHosts(text, "/etc/hosts", {"ctl.example"}, {{"ctl.example", kController.address}}),
              ElementsAre("line 2 of /etc/hosts sends the controller's name Ctl.Example to 10.0.0.1"));
  EXPECT_EQ(MisleadingHosts(text, "/etc/hosts", {"ctl.example"}, {}).size(), 2U);
  EXPECT_THAT(MisleadingHosts(text, "/etc/hosts", {"other.example"}, {}), IsEmpty());
}

TEST(RouteObstruction, HasAWordForEveryAnswer) {
  EXPECT_THAT(RouteObstruction(EINVAL, kController), HasSubstr("blackhole"));
  EXPECT_THAT(RouteObstruction(EHOSTUNREACH, kController), HasSubstr("unreachable"));
  EXPECT_THAT(RouteObstruction(EACCES, kController), HasSubstr("prohibited"));
  EXPECT_THAT(RouteObstruction(ENETUNREACH, kController), HasSubstr("no route"));
}

}  // namespace
}  // namespace cordon::platform
