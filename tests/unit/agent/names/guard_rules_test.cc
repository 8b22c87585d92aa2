#include "agent/names/guard_rules.h"

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "tests/support/dns_bytes.h"

namespace cordon::agent {
namespace {

using namespace cordon::testing;  // NOLINT(google-build-using-namespace): the bytes' words

NameList List() {
  v1::Profile profile;
  profile.add_allow()->add_names("pms.example.vet");
  profile.add_allow()->add_names("*.cloud.example.vet");
  return NameList(profile);
}

std::string Refusal(const std::string& name, uint16_t type) {
  return WireHeader(3, 0x8185, 1, 0) + WireQuestion(name, type);
}

TEST(GuardRules, AsksForAddressesOfListedNames) {
  for (const uint16_t type : {kTypeA, kTypeAaaa}) {
    for (const char* name : {"pms.example.vet", "PMS.EXAMPLE.VET", "x1.cloud.example.vet"}) {
      const QueryVerdict verdict = JudgeQuery(WireQuery(3, name, type), List());
      EXPECT_EQ(verdict.kind, QueryVerdict::kAsk) << name;
      EXPECT_TRUE(verdict.match);
    }
  }
}

TEST(GuardRules, RefusesTheRestAtOnce) {
  for (const char* name : {"evil.example", "cloud.example.vet", "x.pms.example.vet", "", "vet",
                           "4a6f686e.tunnel.evil.example"}) {
    const QueryVerdict verdict = JudgeQuery(WireQuery(3, name, kTypeA), List());
    EXPECT_EQ(verdict.kind, QueryVerdict::kReply) << name;
    EXPECT_EQ(verdict.reply, Refusal(name, kTypeA));
  }
}

TEST(GuardRules, OtherTypesOfListedNamesLeaveNoHost) {
  EXPECT_EQ(JudgeQuery(WireQuery(3, "pms.example.vet", kTypeHttps), List()).reply,
            WireHeader(3, 0x8180, 1, 0) + WireQuestion("pms.example.vet", kTypeHttps));
  for (const uint16_t type : {kTypeText, uint16_t{255}, uint16_t{10}, kTypeCname, uint16_t{0}}) {
    const QueryVerdict verdict = JudgeQuery(WireQuery(3, "pms.example.vet", type), List());
    EXPECT_EQ(verdict.kind, QueryVerdict::kReply);
    EXPECT_EQ(verdict.reply, Refusal("pms.example.vet", type)) << type;
  }
}

TEST(GuardRules, AnswersAreNotAnswered) {
  EXPECT_EQ(JudgeQuery(WireAnswer(3, "pms.example.vet", kTypeA, {}), List()).kind, QueryVerdict::kDrop);
  EXPECT_EQ(JudgeQuery("garbage", List()).kind, QueryVerdict::kDrop);
  EXPECT_EQ(JudgeQuery(WireHeader(3, 0x0100, 7, 0), List()).reply, WireHeader(3, 0x8101, 0, 0));
}

TEST(GuardRules, DatagramsFitTheClientAndThePath) {
  DnsQuery query;
  EXPECT_EQ(DatagramLimit(query), kPlainUdpBytes);
  query.edns_udp_bytes = 100;
  EXPECT_EQ(DatagramLimit(query), kPlainUdpBytes);
  query.edns_udp_bytes = 65'535;
  EXPECT_EQ(DatagramLimit(query), kUsualUdpBytes);
}

TEST(WildcardBudgetTest, AllowsABurstAndThenAFewPerMinute) {
  WildcardBudget budget;
  const auto spend = [&](int64_t at) {
    int spent = 0;
    while (budget.Spend(at)) ++spent;
    return spent;
  };
  EXPECT_EQ(spend(1'000 * kNanosPerSecond), WildcardBudget::kBurst);
  EXPECT_EQ(spend(1'000 * kNanosPerSecond), 0);
  EXPECT_EQ(spend(1'010 * kNanosPerSecond), WildcardBudget::kPerMinute / 6);
  EXPECT_EQ(spend(9'000 * kNanosPerSecond), WildcardBudget::kBurst);
}

}  // namespace
}  // namespace cordon::agent
