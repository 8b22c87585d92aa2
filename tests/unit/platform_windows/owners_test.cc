#include "platform/windows/system/owners.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

constexpr const char* kUser = "S-1-5-21-1-2-3-1001";
constexpr const char* kSystem = "S-1-5-18";

TEST(Owners, TheSystemAdministratorsAndTheCallerAreTrusted) {
  EXPECT_TRUE(IsTrustedOwner(kSystem, kSystem));
  EXPECT_TRUE(IsTrustedOwner("S-1-5-32-544", kSystem));
  EXPECT_TRUE(IsTrustedOwner(kUser, kUser)) << "whoever tries the program in a folder of their own";
}

TEST(Owners, AUserIsNotTrustedByTheService) {
  EXPECT_FALSE(IsTrustedOwner(kUser, kSystem));
  EXPECT_FALSE(IsTrustedOwner("S-1-5-32-545", kSystem)) << "Users";
  EXPECT_FALSE(IsTrustedOwner("S-1-5-180", kSystem));
  EXPECT_FALSE(IsTrustedOwner("", ""));
}

}  // namespace
}  // namespace cordon::platform
