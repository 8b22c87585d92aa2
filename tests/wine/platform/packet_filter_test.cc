// Isolation on Windows as far as wine goes: the conversion to WFP's structures and back, and what is said
// where WFP does not answer.

#include "platform/api/packet_filter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/status.h"
#include "platform/windows/packet_filter/filter_list.h"
#include "platform/windows/packet_filter/fwpm_convert.h"
#include "platform/windows/packet_filter/wfp_filter.h"
#include "tests/support/policies.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

using ::cordon::testing::ClinicPolicy;

std::vector<wfp::Filter> AllFilters(const wfp::Identities& who) {
  std::vector<wfp::Filter> all;
  for (const Level level : testing::kAllLevels)
    std::ranges::move(wfp::MakeFilterList(ClinicPolicy(level), who), std::back_inserter(all));
  return all;
}

// Every filter of every level goes into WFP's structures and comes out the same; else a read-back would find
// differences in what the agent itself has set.
TEST(WfpStructures, WhatGoesInComesOut) {
  wfp::Identities who{.agent_program = R"(\device\harddiskvolume3\program files\cordon\cordon-agent.exe)",
                      .agent_service = "S-1-5-80-1-2-3-4-5",
                      .programs = {R"(\device\x\store.exe)", R"(\device\x\ping.exe)"}};
  size_t filters = 0;
  for (const char* const sid : {"S-1-5-80-1-2-3-4-5", wfp::kSystemSid}) {
    who.agent_service = sid;
    for (const wfp::Filter& filter : AllFilters(who)) {
      const auto native = wfp::NativeFilter::Make(filter, wfp::KeyOf(filter));
      ASSERT_TRUE(native.ok()) << native.status();
      EXPECT_EQ(Describe(wfp::FromNative((*native)->Get(), filter.layer)), Describe(filter));
      EXPECT_EQ(wfp::ToKey((*native)->Get().filterKey), wfp::KeyOf(filter));
      ++filters;
    }
  }
  EXPECT_GT(filters, 100U);
}

TEST(WindowsPacketFilter, WithoutWfpNothingIsClaimed) {
  if (!testing::UnderWine()) GTEST_SKIP() << "Windows: WFP is here, see PacketFilterContract";
  const auto filter = MakePacketFilter();
  const absl::Status applied = filter->Apply(ClinicPolicy(Level::kEssential));
  EXPECT_EQ(applied.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(std::string(Message(applied)).find("WFP is not available"), std::string::npos) << applied;
  EXPECT_FALSE(filter->ReadBack(ClinicPolicy(Level::kEssential)).ok());
}

}  // namespace
}  // namespace cordon::platform
