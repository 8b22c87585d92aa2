// What every PacketFilter keeps, see platform/api/packet_filter.h.

#include <gtest/gtest.h>

#include <memory>

#include "platform/windows/packet_filter/wfp_filter.h"
#include "tests/contract/packet_filter/subject.h"
#include "tests/fakes/fake_filter_engine.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/support/policies.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FilterReadback;
using platform::Level;

std::unique_ptr<Subject> MakeFake() {
  auto subject = std::make_unique<Subject>();
  auto filter = std::make_unique<FakePacketFilter>();
  subject->add_uplink = [fake = filter.get()] { fake->AddUplink("late0"); };
  subject->filter = std::move(filter);
  return subject;
}

// Windows' filter, whole but for the calls of WFP themselves.
std::unique_ptr<Subject> MakeWfpOnFakeEngine() {
  auto subject = std::make_unique<Subject>();
  auto world = std::make_shared<FilterWorld>();
  subject->host = world;
  subject->make_another = [world = world.get()] {
    return platform::wfp::MakeWfpFilter(
        [world] { return std::make_unique<FakeFilterEngine>(world); },
        {.executable = "cordon-agent.exe", .service_sid = platform::wfp::kSystemSid});
  };
  subject->filter = subject->make_another();
  return subject;
}

std::vector<SubjectKind> AllFilters() {
  std::vector<SubjectKind> all = NativeFilters();
  all.push_back({.name = "Fake", .why_not = {}, .make = MakeFake});
  all.push_back({.name = "WfpOnFakeEngine", .why_not = {}, .make = MakeWfpOnFakeEngine});
  return all;
}

class PacketFilterContract : public ::testing::TestWithParam<SubjectKind> {
 protected:
  void SetUp() override {
    if (!GetParam().why_not.empty()) GTEST_SKIP() << GetParam().why_not;
    subject_ = GetParam().make();
  }
  FilterReadback ReadBack(const FilterPolicy& intended) {
    const absl::StatusOr<FilterReadback> readback = subject_->filter->ReadBack(intended);
    EXPECT_TRUE(readback.ok()) << readback.status();
    return readback.value_or(FilterReadback{});
  }

  void Apply(const FilterPolicy& policy) {
    const absl::Status status = subject_->filter->Apply(policy);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<Subject> subject_;
};

TEST_P(PacketFilterContract, HoldsNothingAtFirst) {
  const FilterReadback readback = ReadBack({.level = Level::kObserve});
  EXPECT_TRUE(readback.absent);
  EXPECT_TRUE(readback.matches);
}

TEST_P(PacketFilterContract, ReadsBackWhatWasAppliedAtEveryLevel) {
  for (const Level level : kAllLevels) {
    SCOPED_TRACE(LevelName(level));
    const FilterPolicy policy = ClinicPolicy(level);
    Apply(policy);
    const FilterReadback readback = ReadBack(policy);
    EXPECT_TRUE(readback.matches) << ::testing::PrintToString(readback.differences);
    EXPECT_EQ(readback.absent, level == Level::kObserve);
    if (subject_->add_uplink) {
      EXPECT_EQ(readback.uplinks.empty(), level == Level::kObserve);
    }
    EXPECT_EQ(readback.ruleset_sha256.size(), 32U);
  }
}

TEST_P(PacketFilterContract, AppliesTheSameTwice) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  Apply(policy);
  const std::string hash = ReadBack(policy).ruleset_sha256;
  Apply(policy);
  EXPECT_TRUE(ReadBack(policy).matches);
  EXPECT_EQ(ReadBack(policy).ruleset_sha256, hash);
}

TEST_P(PacketFilterContract, ObserveRemovesEverything) {
  Apply(ClinicPolicy(Level::kDark));
  EXPECT_FALSE(ReadBack({.level = Level::kObserve}).matches) << "the positive control";
  Apply({.level = Level::kObserve});
  EXPECT_TRUE(ReadBack({.level = Level::kObserve}).absent);
}

TEST_P(PacketFilterContract, NeverTakesOnePolicyForAnother) {
  for (const Level held : kAllLevels) {
    Apply(ClinicPolicy(held));
    for (const Level asked : kAllLevels) {
      const FilterReadback readback = ReadBack(ClinicPolicy(asked));
      EXPECT_EQ(readback.matches, held == asked) << LevelName(held) << " taken for " << LevelName(asked);
      EXPECT_EQ(readback.differences.empty(), held == asked);
    }
  }
}

TEST_P(PacketFilterContract, NoticesAnUplinkWithoutHooksAndCoversItWhenAppliedAgain) {
  if (!subject_->add_uplink)
    GTEST_SKIP() << "WFP: filters hold for every interface at once, none has hooks of its own";
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  Apply(policy);
  subject_->add_uplink();
  const FilterReadback before = ReadBack(policy);
  EXPECT_FALSE(before.matches);
  EXPECT_FALSE(before.differences.empty());
  Apply(policy);
  const FilterReadback after = ReadBack(policy);
  EXPECT_TRUE(after.matches) << ::testing::PrintToString(after.differences);
  EXPECT_GT(after.uplinks.size(), before.uplinks.size());
}

// A profile with a host name that stands for `addresses` now.
FilterPolicy ByName(const std::vector<std::string>& addresses) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  policy.allow.push_back(
      Allow(platform::FlowDirection::kOut, platform::FlowProtocol::kTcp, {}, {{443, 443}}));
  policy.allow.back().name_set = 0;
  policy.name_sets.emplace_back();
  for (const std::string& address : addresses)
    policy.name_sets.back().addresses.push_back(boost::asio::ip::make_address(address));
  policy.dns = {.guard_port = 1011, .resolvers = {At("192.0.2.53", 53), At("2001:db8::53", 53)}};
  return policy;
}

TEST_P(PacketFilterContract, AddressesOfNamesChangeWithoutTheRules) {
  const FilterPolicy none = ByName({});
  const FilterPolicy some = ByName({"198.51.100.1", "198.51.100.2", "2001:db8::1"});
  const FilterPolicy other = ByName({"198.51.100.2"});
  Apply(none);
  ASSERT_TRUE(ReadBack(none).matches) << ::testing::PrintToString(ReadBack(none).differences);
  for (const FilterPolicy& policy : {some, other, none, some}) {
    const absl::Status updated = subject_->filter->UpdateNames(policy);
    ASSERT_TRUE(updated.ok()) << updated;
    for (const FilterPolicy& asked : {none, some, other}) EXPECT_EQ(ReadBack(asked).matches, asked == policy);
  }
  Apply(ClinicPolicy(Level::kNoLateral));
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kNoLateral)).matches);
  EXPECT_TRUE(absl::IsFailedPrecondition(subject_->filter->UpdateNames(some))) << "there are no such sets";
  Apply(some);
  EXPECT_TRUE(subject_->filter->Tidy().ok());
  EXPECT_TRUE(ReadBack(some).matches) << ::testing::PrintToString(ReadBack(some).differences);
}

TEST_P(PacketFilterContract, ANewFilterKnowsWhatAnEarlierOneLeft) {
  const FilterPolicy policy = ClinicPolicy(Level::kControllerOnly);
  Apply(policy);
  if (!subject_->make_another) GTEST_SKIP() << "the fake is its own kernel";
  subject_->filter = subject_->make_another();
  EXPECT_TRUE(ReadBack(policy).matches);
}

INSTANTIATE_TEST_SUITE_P(All, PacketFilterContract, ::testing::ValuesIn(AllFilters()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace cordon::testing
