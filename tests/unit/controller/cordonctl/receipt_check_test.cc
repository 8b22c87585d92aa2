#include "controller/cordonctl/receipt_check.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/base/clock.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kNow = 1'795'521'600 * kNanosPerSecond;
constexpr int64_t kMinute = 60 * kNanosPerSecond;

v1::Receipt ReceiptAt(int64_t time) {
  v1::Receipt receipt;
  receipt.set_read_back_time_unix_nanos(time);
  return receipt;
}

TEST(ReceiptCheck, ISO7_OneFromLongAgoOrFromTheFutureIsNoNews) {
  EXPECT_TRUE(IsFresh(ReceiptAt(kNow), kNow));
  EXPECT_TRUE(IsFresh(ReceiptAt(kNow - 119 * kMinute), kNow));
  EXPECT_TRUE(IsFresh(ReceiptAt(kNow + 5 * kMinute), kNow)) << "clocks differ a little";
  EXPECT_FALSE(IsFresh(ReceiptAt(kNow - 120 * kMinute), kNow));
  EXPECT_FALSE(IsFresh(ReceiptAt(kNow + 6 * kMinute), kNow));
  EXPECT_FALSE(IsFresh(ReceiptAt(std::numeric_limits<int64_t>::max()), kNow));
  EXPECT_FALSE(IsFresh(ReceiptAt(std::numeric_limits<int64_t>::min()), kNow));
}

}  // namespace
}  // namespace cordon::ctl
