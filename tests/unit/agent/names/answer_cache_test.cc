#include "agent/names/answer_cache.h"

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/strings.h"

namespace cordon::agent {
namespace {

const DnsQuestion kQuestion{.name = "a.example", .type = RecordType::kA};

DnsAnswer WithAddress(uint32_t ttl) {
  DnsAnswer answer;
  answer.addresses = {{boost::asio::ip::address_v4(0xc0000201U), ttl}};
  return answer;
}

TEST(AnswerCacheTest, GivesTheTimeThatIsLeft) {
  AnswerCache cache;
  cache.Keep(kQuestion, WithAddress(50), 0);
  const auto found = cache.Find(kQuestion, 20 * kNanosPerSecond);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->addresses[0].ttl_seconds, 30U);
  EXPECT_FALSE(cache.Find(kQuestion, 50 * kNanosPerSecond).has_value());
  EXPECT_FALSE(cache.Find({.name = "a.example", .type = RecordType::kAaaa}, 0).has_value());
}

TEST(AnswerCacheTest, KeepsThatThereIsNothingForAWhileButNoFailure) {
  AnswerCache cache;
  cache.Keep(kQuestion, {.code = ResponseCode::kNameError, .truncated = false, .chain = {}, .addresses = {}},
             0);
  EXPECT_TRUE(cache.Find(kQuestion, 29 * kNanosPerSecond).has_value());
  EXPECT_FALSE(cache.Find(kQuestion, 30 * kNanosPerSecond).has_value());
  AnswerCache other;
  other.Keep(kQuestion,
             {.code = ResponseCode::kServerFailure, .truncated = false, .chain = {}, .addresses = {}}, 0);
  other.Keep(kQuestion, WithAddress(0), 0);
  EXPECT_FALSE(other.Find(kQuestion, 0).has_value());
}

TEST(AnswerCacheTest, IsBounded) {
  AnswerCache cache;
  for (size_t at = 0; at < AnswerCache::kMaxAnswers; ++at)
    cache.Keep({.name = StrCat("n", at), .type = RecordType::kA}, WithAddress(60), 0);
  cache.Keep(kQuestion, WithAddress(60), 0);
  EXPECT_FALSE(cache.Find(kQuestion, 0).has_value()) << "full";
  cache.Keep(kQuestion, WithAddress(60), 60 * kNanosPerSecond);
  EXPECT_TRUE(cache.Find(kQuestion, 60 * kNanosPerSecond).has_value()) << "others have lapsed";
}

}  // namespace
}  // namespace cordon::agent
