// The contract of platform/api/resolvers.h on the native implementation, with what this machine has been
// told.

#include "platform/api/resolvers.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cordon::platform {
namespace {

TEST(Resolvers, AreBeyondThisHostAndNamedOnce) {
  const absl::StatusOr<std::vector<Endpoint>> resolvers = ReadResolvers();
  if (absl::IsNotFound(resolvers.status()))
    GTEST_SKIP() << "this machine has been told no resolver: " << resolvers.status();
  ASSERT_TRUE(resolvers.ok()) << resolvers.status();
  for (const Endpoint& resolver : *resolvers) {
    EXPECT_EQ(resolver.port, 53);
    EXPECT_FALSE(resolver.address.is_loopback()) << resolver.address;
    EXPECT_FALSE(resolver.address.is_unspecified()) << resolver.address;
    EXPECT_FALSE(resolver.address.is_multicast()) << resolver.address;
    EXPECT_EQ(std::ranges::count(*resolvers, resolver), 1) << resolver.address;
  }
}

TEST(Resolvers, AreReadAnewInTheSameOrder) {
  const absl::StatusOr<std::vector<Endpoint>> first = ReadResolvers();
  const absl::StatusOr<std::vector<Endpoint>> second = ReadResolvers();
  ASSERT_EQ(first.status().code(), second.status().code());
  if (!first.ok()) GTEST_SKIP() << "this machine has been told no resolver: " << first.status();
  EXPECT_EQ(*first, *second);
}

}  // namespace
}  // namespace cordon::platform
