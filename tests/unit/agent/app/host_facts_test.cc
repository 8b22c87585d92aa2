#include "agent/app/host_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

TEST(HostFacts, AddressesThatLeadFurtherComeFirst) {
  platform::SystemFacts system;
  system.addresses = {"fe80::1", "169.254.7.7", "10.1.0.7", "2001:db8::7"};
  EXPECT_THAT(MakeHostFacts(system, {}).addresses(),
              ElementsAre("10.1.0.7", "2001:db8::7", "fe80::1", "169.254.7.7"));
}

// Each container's interface has an address of its own, and a controller refuses the Hello of a host that
// tells more than 64: it would be out of reach.
TEST(HostFacts, AHostWithManyContainersTellsNoMoreThanAControllerTakes) {
  platform::SystemFacts system;
  for (int container = 0; container < 100; ++container)
    system.addresses.push_back(StrCat("fe80::", container + 1));
  system.addresses.emplace_back("10.1.0.7");
  const v1::HostFacts facts = MakeHostFacts(system, {});
  EXPECT_EQ(facts.addresses_size(), 64);
  EXPECT_THAT(facts.addresses(), Contains("10.1.0.7"));
}

}  // namespace
}  // namespace cordon::agent
