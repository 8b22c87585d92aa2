// Where keys are sealed: what a file holds is not the key.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/api/key_protection.h"

namespace cordon::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";

TEST(SealedKeys, ShowNothingOfTheKey) {
  const auto sealed = SealKey(kKey);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_THAT(*sealed, Not(HasSubstr("secret")));
}

TEST(SealedKeys, WhatIsCutOrAnothersIsDataLoss) {
  const auto sealed = SealKey(kKey);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_EQ(OpenKey(sealed->substr(0, sealed->size() - 20)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(OpenKey(sealed->substr(0, 27)).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cordon::platform
