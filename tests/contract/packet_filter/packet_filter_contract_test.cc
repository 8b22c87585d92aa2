// What every PacketFilter keeps, see platform/api/packet_filter.h.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "tests/fakes/fake_packet_filter.h"
#include "tests/support/net_namespace.h"
#include "tests/support/policies.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FilterReadback;
using platform::Level;

// A filter with one uplink "eth0", and the way to give it another.
struct Subject {
  std::function<void()> add_uplink;
  std::unique_ptr<NetNamespace> host;
  std::optional<InNetNamespace> inside;
  std::unique_ptr<platform::PacketFilter> filter;
};

std::unique_ptr<Subject> MakeFake() {
  auto subject = std::make_unique<Subject>();
  auto filter = std::make_unique<FakePacketFilter>();
  subject->add_uplink = [fake = filter.get()] { fake->AddUplink("late0"); };
  subject->filter = std::move(filter);
  return subject;
}

std::unique_ptr<Subject> MakeNative() {
  auto subject = std::make_unique<Subject>();
  subject->host = std::make_unique<NetNamespace>("pf");
  subject->host->Ip("link add eth0 type veth peer name eth1");
  subject->add_uplink = [host = subject->host.get()] {
    host->Ip("link add late0 type veth peer name late1");
  };
  subject->inside.emplace(*subject->host);
  subject->filter = platform::MakePacketFilter();
  return subject;
}

struct Kind {
  const char* name;
  std::unique_ptr<Subject> (*make)();
};

class PacketFilterContract : public ::testing::TestWithParam<Kind> {
 protected:
  FilterReadback ReadBack(const FilterPolicy& intended) {
    const absl::StatusOr<FilterReadback> readback = subject_->filter->ReadBack(intended);
    EXPECT_TRUE(readback.ok()) << readback.status();
    return readback.value_or(FilterReadback{});
  }

  void Apply(const FilterPolicy& policy) {
    const absl::Status status = subject_->filter->Apply(policy);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<Subject> subject_ = GetParam().make();
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
    EXPECT_EQ(readback.uplinks.empty(), level == Level::kObserve);
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
  if (subject_->host != nullptr) subject_->filter = platform::MakePacketFilter();
  EXPECT_TRUE(ReadBack(policy).matches);
}

INSTANTIATE_TEST_SUITE_P(All, PacketFilterContract,
                         ::testing::Values(Kind{"Fake", &MakeFake}, Kind{"Native", &MakeNative}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace cordon::testing
