#include "agent/flows/flow_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using platform::FlowDirection;
using platform::FlowProtocol;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kDay = 86'400 * kNanosPerSecond;
constexpr int64_t kNow = 20'000 * kDay;

KnownFlow Seen(const std::string& remote, uint16_t port, int64_t when = kNow, uint64_t times = 1) {
  KnownFlow known;
  known.flow.remote = {boost::asio::ip::make_address(remote), port};
  known.executable = "/usr/bin/firefox";
  known.first_seen_unix_nanos = known.last_seen_unix_nanos = when;
  known.times_seen = times;
  return known;
}

class FlowHistoryTest : public ::testing::Test {
 protected:
  FlowHistory Open(int64_t now = kNow) {
    auto history = FlowHistory::Open(settings_, now);
    if (!history.ok()) throw std::runtime_error(history.status().ToString());
    return *std::move(history);
  }
  static std::vector<KnownFlow> All(FlowHistory& history) { return history.Recent(100'000).value(); }

  testing::TempFolder folder_;
  FlowHistorySettings settings_{.file = folder_ / "flows.db"};
};

TEST_F(FlowHistoryTest, KeepsEveryPartOfAKindThroughARestart) {
  KnownFlow in = Seen("2001:db8::7", 0);
  in.flow.direction = FlowDirection::kIn;
  in.flow.protocol = FlowProtocol::kUdp;
  in.flow.local.port = 5060;
  in.executable = "/usr/bin/\xff phone";
  in.names = {"pbx.example.vet", "old.example.vet"};
  in.times_seen = 4;
  in.first_seen_unix_nanos = kNow - kDay;
  {
    FlowHistory history = Open();
    ASSERT_TRUE(history.Add({in, Seen("10.2.0.9", 443, kNow - 5)}, kNow).ok());
  }
  FlowHistory again = Open(kNow + kDay);
  const std::vector<KnownFlow> all = All(again);
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].flow.direction, FlowDirection::kIn);
  EXPECT_EQ(all[0].flow.protocol, FlowProtocol::kUdp);
  EXPECT_EQ(all[0].flow.remote.address.to_string(), "2001:db8::7");
  EXPECT_EQ(all[0].flow.local.port, 5060);
  EXPECT_EQ(all[0].executable, in.executable);
  EXPECT_THAT(all[0].names, ElementsAre("pbx.example.vet"));
  EXPECT_EQ(all[0].times_seen, 4U);
  EXPECT_EQ(all[0].first_seen_unix_nanos, kNow - kDay);
  EXPECT_EQ(all[1].flow.remote.port, 443);
  EXPECT_FALSE(all[1].live);
  EXPECT_EQ(again.SinceUnixNanos(kNow + kDay), kNow);
}

TEST_F(FlowHistoryTest, OneRowPerKind) {
  FlowHistory history = Open();
  KnownFlow named = Seen("10.2.0.9", 443, kNow + 10, 2);
  named.names = {"pms.example.vet"};
  ASSERT_TRUE(history.Add({Seen("10.2.0.9", 443)}, kNow).ok());
  ASSERT_TRUE(history.Add({named}, kNow).ok());
  ASSERT_TRUE(history.Add({Seen("10.2.0.9", 443, kNow + 5)}, kNow).ok());
  const std::vector<KnownFlow> all = All(history);
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].times_seen, 4U);
  EXPECT_EQ(all[0].first_seen_unix_nanos, kNow);
  EXPECT_EQ(all[0].last_seen_unix_nanos, kNow + 10);
  EXPECT_THAT(all[0].names, ElementsAre("pms.example.vet")) << "a name is not lost to a flow without one";
}

TEST_F(FlowHistoryTest, ForgetsWhatIsTooOld) {
  FlowHistory history = Open();
  ASSERT_TRUE(
      history.Add({Seen("10.2.0.1", 1, kNow - 20 * kDay), Seen("10.2.0.2", 2, kNow - 13 * kDay)}, kNow).ok());
  ASSERT_THAT(All(history), SizeIs(1));
  ASSERT_TRUE(history.Add({}, kNow + 2 * kDay).ok());
  EXPECT_THAT(All(history), IsEmpty());
  EXPECT_EQ(history.SinceUnixNanos(kNow + 30 * kDay), kNow + 16 * kDay);
}

TEST_F(FlowHistoryTest, AScanOfManyPeersDoesNotPushOutWhatIsUsedDaily) {
  settings_.max_kinds = 50;
  FlowHistory history = Open();
  ASSERT_TRUE(history.Add({Seen("192.0.2.7", 443, kNow - kDay, 9)}, kNow).ok());
  std::vector<KnownFlow> scan;
  for (int at = 0; at < 200; ++at) scan.push_back(Seen(StrCat("10.0.0.", at), 445, kNow + at));
  ASSERT_TRUE(history.Add(scan, kNow).ok());
  const std::vector<KnownFlow> all = All(history);
  ASSERT_THAT(all, SizeIs(50));
  EXPECT_EQ(all.front().flow.remote.address.to_string(), "10.0.0.199") << "the newest stay";
  EXPECT_EQ(all.back().flow.remote.address.to_string(), "192.0.2.7");
}

TEST_F(FlowHistoryTest, ADamagedFileIsSetAsideAndTold) {
  std::ofstream(settings_.file) << std::string(8'192, 'x');
  FlowHistory history = Open();
  EXPECT_THAT(history.SetAsideNotice(), HasSubstr("set aside as flows.db.damaged-"));
  ASSERT_TRUE(history.Add({Seen("10.2.0.9", 443)}, kNow).ok());
  EXPECT_THAT(All(history), SizeIs(1));
  FlowHistory healthy = Open();
  EXPECT_THAT(healthy.SetAsideNotice(), IsEmpty());
}

}  // namespace
}  // namespace cordon::agent
