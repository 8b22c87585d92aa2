#include "platform/api/key_protection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";

TEST(WindowsKeys, AreSealedAndOpenedOnTheSameMachine) {
  const auto sealed = SealKey(kKey);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_THAT(*sealed, Not(HasSubstr("secret")));
  const auto opened = OpenKey(*sealed);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(*opened, kKey);
}

TEST(WindowsKeys, WhatIsCutOrAnothersIsDataLoss) {
  const auto sealed = SealKey(kKey);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_EQ(OpenKey(sealed->substr(0, sealed->size() - 20)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(OpenKey(sealed->substr(0, 27)).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cordon::platform
