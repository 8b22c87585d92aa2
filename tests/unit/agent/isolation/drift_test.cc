#include "agent/isolation/drift.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_process_directory.h"

namespace cordon::testing {
namespace {

using agent::DriftEvents;
using agent::DriftFindings;
using platform::RulesetChange;

RulesetChange By(uint32_t pid, int64_t boot_nanos = 100) {
  return {.pid = pid,
          .process_name = "nft",
          .executable = "/usr/sbin/nft",
          .boot_nanos = boot_nanos,
          .of_cordon = true};
}

DriftFindings Found(std::vector<std::string> differences, std::optional<uint64_t> passed = 4) {
  return {.differences = std::move(differences),
          .repair = absl::OkStatus(),
          .repaired_boot_nanos = 150,
          .packets_passed = passed};
}

TEST(DriftEvents, ISO6_SaysWhoWhatHowLongAndHowMany) {
  FakeProcessDirectory processes;
  processes.Started(7, {.guid = "0123456789abcdef", .executable = "/opt/tool"});
  const auto events = DriftEvents({By(7)}, Found({"a rule is missing"}), &processes);
  ASSERT_EQ(events.size(), 1U);
  const v1::RulesDrift& drift = events[0].rules_drift();
  EXPECT_EQ(drift.pid(), 7U);
  EXPECT_EQ(drift.process_guid(), "0123456789abcdef");
  EXPECT_EQ(drift.executable(), "/opt/tool");
  EXPECT_EQ(drift.stood_nanos(), 50);
  EXPECT_EQ(drift.packets_passed(), 4U);
  EXPECT_FALSE(drift.packets_unknown());
}

TEST(DriftEvents, ISO6_UncountedPacketsAreUnknownAndNotNone) {
  const auto events = DriftEvents({By(7)}, Found({"all is gone"}, std::nullopt), nullptr);
  EXPECT_TRUE(events.at(0).rules_drift().packets_unknown());
  EXPECT_EQ(events.at(0).rules_drift().executable(), "/usr/sbin/nft") << "as it was seen at the moment";
}

TEST(DriftEvents, NamesEachProcessOnceAndCountsPacketsOnce) {
  const auto events = DriftEvents({By(7), By(8), By(7)}, Found({"x"}), nullptr);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].rules_drift().pid(), 8U);
  EXPECT_EQ(events[1].rules_drift().packets_passed(), 0U);
}

TEST(DriftEvents, AStormIsBounded) {
  std::vector<RulesetChange> storm;
  for (uint32_t pid = 1; pid <= 500; ++pid) storm.push_back(By(pid));
  const auto events = DriftEvents(storm, Found({"x"}), nullptr);
  ASSERT_EQ(events.size(), agent::kMostDriftEvents + 1);
  EXPECT_NE(events.back().rules_drift().differences(0).find("484 more"), std::string::npos);
}

TEST(DriftEvents, AChangeThatWasUndoneAtOnceIsToldToo) {
  const auto events = DriftEvents({By(7)}, Found({}), nullptr);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].rules_drift().differences(0).find("as they should be again"), std::string::npos);
}

TEST(DriftEvents, NothingIsToldOfWhatConcernsOthers) {
  RulesetChange other = By(7);
  other.of_cordon = false;
  EXPECT_TRUE(DriftEvents({other, {.missed = true}}, Found({}), nullptr).empty());
}

TEST(DriftEvents, ADifferenceWithoutACulpritNamesNobody) {
  const auto events = DriftEvents({{.boot_nanos = 100, .missed = true}}, Found({"x"}), nullptr);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].rules_drift().pid(), 0U);
  EXPECT_TRUE(events[0].rules_drift().process_name().empty());
}

}  // namespace
}  // namespace cordon::testing
