// The contract of platform/api/key_protection.h on the native implementation.

#include "platform/api/key_protection.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

constexpr const char* kKey = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";

TEST(Keys, WhatIsSealedIsOpenedOnTheSameMachine) {
  for (const std::string& key :
       {std::string(kKey), std::string("\0\xff\r\n\x1a", 5), std::string(100'000, 'k')}) {
    const auto sealed = SealKey(key);
    ASSERT_TRUE(sealed.ok()) << sealed.status();
    const auto opened = OpenKey(*sealed);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(*opened, key);
  }
}

TEST(Keys, OneThatWasWrittenUnsealedIsTakenAsItIs) {
  const auto opened = OpenKey(kKey);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(*opened, kKey);
}

}  // namespace
}  // namespace cordon::platform
