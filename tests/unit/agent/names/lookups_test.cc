#include "agent/names/lookups.h"

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/strings.h"

namespace cordon::agent {
namespace {

DnsAnswer WithAddress(uint32_t ttl) {
  DnsAnswer answer;
  answer.addresses = {{boost::asio::ip::address_v4(0xc0000201U), ttl}};
  return answer;
}

TEST(LookupsTest, LooksUpBothKindsAtOnceAndAgainWhenTheAnswerLapses) {
  Lookups lookups;
  lookups.Set({"a.example"});
  const auto due = lookups.Take(0);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_TRUE(lookups.Take(0).empty()) << "under way";
  lookups.Answered(due[0], WithAddress(300), 0);
  lookups.Answered(due[1], DnsAnswer(), 0);
  EXPECT_TRUE(lookups.Take(59 * kNanosPerSecond).empty());
  EXPECT_EQ(lookups.Take(60 * kNanosPerSecond).size(), 1U) << "what had none";
  EXPECT_EQ(lookups.Take(300 * kNanosPerSecond).size(), 1U);
  EXPECT_TRUE(lookups.Notes().empty());
}

TEST(LookupsTest, FailuresAreTriedAgainEverMoreSlowlyAndTold) {
  Lookups lookups;
  lookups.Set({"a.example"});
  int64_t now = 0;
  std::vector<int64_t> gaps;
  for (int round = 0; round < 8; ++round) {
    for (const DnsQuestion& question : lookups.Take(now)) lookups.Failed(question, "no answer", now);
    int64_t gap = 0;
    while (true) {
      ++gap;
      const auto due = lookups.Take(now + gap * kNanosPerSecond);
      if (due.empty()) continue;
      now += gap * kNanosPerSecond;
      for (const DnsQuestion& question : due) lookups.Failed(question, "no answer", now);
      break;
    }
    gaps.push_back(gap);
  }
  EXPECT_EQ(gaps.front(), 2);
  EXPECT_EQ(gaps.back(), 60);
  ASSERT_EQ(lookups.Notes().size(), 1U);
  EXPECT_EQ(lookups.Notes()[0], "the profile's name a.example cannot be looked up: no answer");
}

TEST(LookupsTest, TellsOfNamesWithoutAddressesAFewOfThem) {
  Lookups lookups;
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) names.push_back(StrCat("n", i, ".example"));
  lookups.Set(names);
  EXPECT_EQ(lookups.Take(0).size(), Lookups::kAtOnce);
  for (const std::string& name : names) {
    for (const RecordType type : {RecordType::kA, RecordType::kAaaa})
      lookups.Answered({.name = name, .type = type}, DnsAnswer(), 0);
  }
  const auto notes = lookups.Notes();
  ASSERT_EQ(notes.size(), 6U);
  EXPECT_EQ(notes[0], "the profile's name n0.example has no address that may be opened");
  EXPECT_EQ(notes[5], "and 3 more names of the profile lead nowhere");
}

TEST(LookupsTest, NewNamesAreDueAndOldOnesGone) {
  Lookups lookups;
  lookups.Set({"a.example"});
  for (const DnsQuestion& question : lookups.Take(0)) lookups.Answered(question, WithAddress(600), 0);
  lookups.Set({"a.example", "b.example"});
  const auto due = lookups.Take(0);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].name, "b.example");
  lookups.Failed({.name = "gone.example", .type = RecordType::kA}, "late", 0);
  EXPECT_TRUE(lookups.Notes().empty());
  lookups.AllDue();
  EXPECT_EQ(lookups.Take(0).size(), 2U) << "a.example again";
}

}  // namespace
}  // namespace cordon::agent
