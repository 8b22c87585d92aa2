#include "agent/app/status_text.h"

#include <gtest/gtest.h>

#include "common/base/clock.h"

namespace cordon::agent {
namespace {

constexpr int64_t kNow = 1'700'000'000 * kNanosPerSecond;

v1::GetStatusResponse Isolated() {
  v1::GetStatusResponse status;
  status.set_host_id("11111111-2222-4333-8444-555555555555");
  status.set_host_name("front-desk");
  status.set_site("leeds");
  status.set_controller("10.0.0.1:8443");
  status.set_last_link_error("no answer to a heartbeat for 15s");
  status.set_connected_since_unix_nanos(kNow - 90 * kNanosPerSecond);
  v1::Receipt* receipt = status.mutable_health()->mutable_receipt();
  receipt->set_intended_level(v1::LEVEL_ESSENTIAL);
  receipt->set_enforced_level(v1::LEVEL_ESSENTIAL);
  receipt->set_containment(v1::CONTAINMENT_PARTIAL);
  receipt->add_reasons("eth1 has no egress hook");
  receipt->set_profile_name("clinic");
  for (const auto outcome :
       {v1::Probe::OUTCOME_BLOCKED, v1::Probe::OUTCOME_BLOCKED, v1::Probe::OUTCOME_PASSED}) {
    receipt->add_probes()->set_outcome(outcome);
  }
  for (const auto outcome : {v1::Probe::OUTCOME_PASSED, v1::Probe::OUTCOME_BLOCKED}) {
    v1::Probe* const allowed = receipt->add_probes();
    allowed->set_outcome(outcome);
    allowed->set_expected_open(true);
  }
  receipt->set_lease_remaining_nanos(3'600 * kNanosPerSecond);
  v1::PartHealth* part = status.mutable_health()->add_parts();
  part->set_part("cordon.process");
  part->set_serving(true);
  part->set_last_proof_unix_nanos(kNow - 5 * kNanosPerSecond);
  part = status.mutable_health()->add_parts();
  part->set_part("cordon.link");
  part->set_detail("not connected\x1b[2J");
  status.mutable_health()->add_notices("baseline.db was damaged and is set aside");
  return status;
}

TEST(StatusText, SaysFirstHowClosedTheHostIsAndWhy) {
  EXPECT_EQ(StatusText(Isolated(), kNow),
            "host          front-desk, site leeds (11111111-2222-4333-8444-555555555555)\n"
            "isolation     essential, partial\n"
            "  because     eth1 has no egress hook\n"
            "  profile     clinic\n"
            "  ends in     1h\n"
            "  forbidden   2 blocked, 1 passed\n"
            "  allowed     1 blocked, 1 passed\n"
            "controller    NOT connected to 10.0.0.1:8443, for 1m30s\n"
            "  because     no answer to a heartbeat for 15s\n"
            "parts         see below\n"
            "  process     ok, proven 5s ago\n"
            "  link        NOT SERVING, proven never: not connected\\x1b[2J\n"
            "spool         0 events, 0 B of 0 B\n"
            "lost          0 in the kernel, 0 in the agent, 0 from the spool\n"
            "uses          0 B memory, 0ms CPU in 0ms\n"
            "notice        baseline.db was damaged and is set aside\n");
}

TEST(StatusText, JsonIsOneLineWithEveryField) {
  const std::string json = StatusJson(Isolated());
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_NE(json.find("\"connected\":false"), std::string::npos) << json;
  EXPECT_NE(json.find("\"containment\":\"partial\""), std::string::npos) << json;
}

}  // namespace
}  // namespace cordon::agent
