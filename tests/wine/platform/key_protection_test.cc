#include "platform/api/key_protection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/windows/keys/envelope.h"
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

// wine's provider of that name has no hardware behind it and keeps no key.
TEST(WindowsKeys, UnderWineTheyAreSealedByDpapi) {
  if (!testing::UnderWine()) GTEST_SKIP() << "a machine with a TPM seals by it";
  const auto sealed = SealKey(kKey);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_EQ(WhatProtects(*sealed), "DPAPI for this machine, and not by its TPM");
  EXPECT_EQ(WhatProtects(kKey), "nothing but the rights of its file");
}

TEST(WindowsKeys, OneOfATpmThatIsNotThereIsNotOpened) {
  if (!testing::UnderWine()) GTEST_SKIP() << "this machine may have a TPM";
  const std::string bytes = keys::WriteEnvelope({.wrapped_key = std::string(256, 'w'),
                                                 .nonce = std::string(12, 'n'),
                                                 .sealed = std::string(300, 's')})
                                .value();
  EXPECT_EQ(WhatProtects(bytes), "the TPM of this machine");
  const absl::Status opened = OpenKey(bytes).status();
  EXPECT_FALSE(opened.ok());
  EXPECT_THAT(opened.message(), HasSubstr("TPM"));
}

}  // namespace
}  // namespace cordon::platform
