#include "platform/linux/flows/flow_decode.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "platform/linux/flows/flow_record.h"

namespace cordon::platform {
namespace {

constexpr uint32_t kMark = 77;

cordon_flow Record() {
  cordon_flow raw{};
  raw.boottime = 123;
  raw.pid = 7;
  raw.times = 3;
  raw.local_port = 50'000;
  raw.remote_port = 443;
  raw.direction = CORDON_FLOW_OUT;
  raw.protocol = CORDON_FLOW_TCP;
  const uint8_t remote[] = {10, 2, 0, 9};
  std::memcpy(raw.remote, remote, sizeof(remote));
  return raw;
}

std::optional<RawFlow> Decode(const cordon_flow& raw, size_t bytes = sizeof(cordon_flow)) {
  std::string copy(sizeof(raw) + 8, '\0');
  std::memcpy(copy.data(), &raw, sizeof(raw));
  return DecodeFlow({copy.data(), bytes}, kMark);
}

TEST(FlowDecode, ReadsEveryField) {
  cordon_flow raw = Record();
  const auto v4 = Decode(raw);
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->boottime_nanos, 123);
  EXPECT_EQ(v4->pid, 7U);
  EXPECT_EQ(v4->times, 3U);
  EXPECT_EQ(FormatEndpoint(v4->flow.remote), "10.2.0.9:443");
  EXPECT_EQ(FormatEndpoint(v4->flow.local), "0.0.0.0:50000");
  EXPECT_EQ(v4->flow.direction, FlowDirection::kOut);
  EXPECT_EQ(v4->flow.protocol, FlowProtocol::kTcp);
  EXPECT_FALSE(v4->flow.agent_owned);
  raw.v6 = 1;
  raw.direction = CORDON_FLOW_IN;
  raw.protocol = CORDON_FLOW_UDP;
  raw.mark = kMark;
  const auto v6 = Decode(raw);
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->flow.remote.address.to_string(), "a02:9::");
  EXPECT_EQ(v6->flow.direction, FlowDirection::kIn);
  EXPECT_EQ(v6->flow.protocol, FlowProtocol::kUdp);
  EXPECT_TRUE(v6->flow.agent_owned);
}

TEST(FlowDecode, RefusesWhatIsNoRecord) {
  EXPECT_TRUE(Decode(Record()).has_value());
  EXPECT_FALSE(Decode(Record(), sizeof(cordon_flow) - 1));
  EXPECT_FALSE(Decode(Record(), sizeof(cordon_flow) + 1));
  EXPECT_FALSE(Decode(Record(), 0));
  cordon_flow raw = Record();
  raw.direction = 3;
  EXPECT_FALSE(Decode(raw));
  raw = Record();
  raw.protocol = 0;
  EXPECT_FALSE(Decode(raw));
}

}  // namespace
}  // namespace cordon::platform
