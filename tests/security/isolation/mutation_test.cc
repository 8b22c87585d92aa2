// ISO-7: whatever is done to rules, interfaces and traffic control, a receipt never says `contained` while a
// forbidden packet passes. Packets are judged on the other side.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <set>
#include <thread>

#include "common/base/strings.h"
#include "tests/security/isolation/mutated_host.h"
#include "tests/support/actions.h"
#include "tests/support/soak.h"

namespace cordon::testing {
namespace {

constexpr std::chrono::milliseconds kStragglers(60);

// At no-lateral DNS is open to everybody: there is no guard.
std::set<std::string> Forbidden(std::set<std::string> arrived, v1::Level level) {
  if (level < v1::LEVEL_ESSENTIAL) arrived.erase("dns out");
  return arrived;
}

// The judge sees what leaks when nothing is enforced, on every way.
TEST_F(MutatedHost, TheJudgeSeesEveryWay) {
  LeakJudge judge(lab_);
  std::set<std::string> arrived;
  for (int attempt = 0; attempt < 5 && arrived != LeakJudge::AllWays(); ++attempt) {
    arrived.merge(judge.Send(std::chrono::milliseconds(400)));
  }
  EXPECT_EQ(arrived, LeakJudge::AllWays());
}

TEST_F(MutatedHost, ISO7_NeverSaysContainedWhileAForbiddenPacketPasses) {
  LeakJudge judge(lab_);
  judge.Send(std::chrono::milliseconds(400));  // neighbours are known from here on
  const int mutations = StormCount(200, 2'000);
  int leaked = 0;
  int contained = 0;
  std::map<std::string, int> ways;
  for (int round = 0; round < mutations; ++round) {
    const v1::Level level = Pick<v1::Level>(
        {v1::LEVEL_NO_LATERAL, v1::LEVEL_ESSENTIAL, v1::LEVEL_CONTROLLER_ONLY, v1::LEVEL_DARK});
    const bool rich = Below(3) > 0;
    const auto before = Order(Profile(level, rich));
    ASSERT_TRUE(before.ok()) << before.status();
    ASSERT_EQ(before->containment(), v1::CONTAINMENT_CONTAINED)
        << "round " << round << ", the positive control: " << before->ShortDebugString();
    const std::string mutation = Mutate();
    SCOPED_TRACE(StrCat("round ", round, ", ", v1::Level_Name(level), rich ? ", names and a program: " : ": ",
                        mutation));
    const std::set<std::string> arrived = Forbidden(judge.Send(kStragglers), level);
    const v1::Receipt receipt = isolation_->ReadReceipt();
    const bool says_contained = receipt.containment() == v1::CONTAINMENT_CONTAINED;
    if (!arrived.empty()) {
      ++leaked;
      for (const std::string& way : arrived) ++ways[way];
      EXPECT_FALSE(says_contained) << ::testing::PrintToString(arrived) << " passed";
    }
    if (says_contained) ++contained;
    Undo();
    const v1::Receipt after = isolation_->ReadReceipt();
    ASSERT_EQ(after.containment(), v1::CONTAINMENT_CONTAINED) << "put right: " << after.ShortDebugString();
    ASSERT_EQ(Forbidden(judge.Send(std::chrono::milliseconds(10)), level), std::set<std::string>());
  }
  printf("%d mutations: a packet passed after %d, the receipt said contained after %d\n", mutations, leaked,
         contained);
  for (const auto& [way, count] : ways) printf("  %s: %d\n", way.c_str(), count);
  EXPECT_GT(leaked, mutations / 10) << "the mutations have no teeth";
  EXPECT_GT(contained, 0) << "the receipt never says contained";
}

// An interface in another namespace is out of reach of the rules; the receipt says so until it comes back.
TEST_F(MutatedHost, ISO7_AnUplinkThatWasMovedAwayIsTold) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY), "order", 1).ok());
  const auto told = [&] {
    for (int wait = 0; wait < 200 && links_->MovedAway().empty(); ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    isolation_->OnLinksChanged(links_->MovedAway());
    return isolation_->ReadReceipt();
  };
  ASSERT_TRUE(Shell(StrCat("ip link set up0 netns ", elsewhere_.Name())));
  const v1::Receipt away = told();
  EXPECT_EQ(away.containment(), v1::CONTAINMENT_PARTIAL);
  ASSERT_GE(away.reasons_size(), 1);
  EXPECT_NE(away.reasons(0).find("up0 was moved"), std::string::npos) << away.ShortDebugString();
  // One end of a cable within the host is no way out: containers get theirs like that.
  ASSERT_TRUE(
      Shell(StrCat("ip -n ", elsewhere_.Name(), " link set up0 netns ", lab_.host.Name(),
                   "; ip link add ce0 type veth peer name ce1; ip link set ce1 netns ", elsewhere_.Name())));
  for (int wait = 0; wait < 200 && !links_->MovedAway().empty(); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  isolation_->OnLinksChanged(links_->MovedAway());
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED)
      << isolation_->ReadReceipt().ShortDebugString();
}

TEST_F(MutatedHost, ISO7_AProgramAtAnInterfaceAndItsSocketsAreTold) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY), "order", 1).ok());
  const auto reasons = [&] { return isolation_->ReadReceipt().ShortDebugString(); };
  {
    const platform::Fd xdp(socket(44 /* AF_XDP */, SOCK_RAW | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(xdp.Valid());
    EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
    EXPECT_NE(reasons().find("AF_XDP"), std::string::npos) << reasons();
  }
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED) << reasons();
  ASSERT_TRUE(
      Shell("tc qdisc add dev lo clsact; tc filter add dev lo egress protocol all u32 match u32 0 0 action "
            "mirred egress redirect dev up0"));
  LeakJudge judge(lab_);
  EXPECT_TRUE(judge.Send(kStragglers).contains("loopback out")) << "the positive control";
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
  EXPECT_NE(reasons().find("interface lo"), std::string::npos) << reasons();
}

}  // namespace
}  // namespace cordon::testing
