#include "controller/cordonctl/rehearsal_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/clock.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 1'800'000'000 * kNanosPerSecond;

v1::RehearseResponse Host(const std::string& name) {
  v1::RehearseResponse answer;
  answer.mutable_host()->mutable_facts()->set_host_name(name);
  answer.mutable_host()->set_site("leeds");
  answer.set_answered(true);
  return answer;
}

v1::FlowForecast& Add(v1::RehearseResponse* answer, bool stays, const std::string& program,
                      const std::string& address, uint32_t port, const std::string& name = "") {
  v1::FlowForecast& flow = *answer->mutable_rehearsal()->add_flows();
  flow.set_executable(program);
  flow.set_direction(v1::DIRECTION_OUT);
  flow.set_protocol(v1::TRANSPORT_PROTOCOL_TCP);
  flow.set_remote_address(address);
  flow.set_remote_name(name);
  flow.set_port(port);
  flow.set_stays(stays);
  flow.set_because(stays ? "profile rule 1" : "essential: no rule of the profile allows it");
  flow.set_last_seen_unix_nanos(kNow - 3'600 * kNanosPerSecond);
  return flow;
}

TEST(RehearsalText, OneHostCutFirst) {
  v1::RehearseResponse answer = Host("front-desk");
  Add(&answer, true, "/opt/pms/client", "198.51.100.7", 443, "pms.example.vet").set_live(true);
  Add(&answer, false, "", "10.2.0.200", 445);
  answer.mutable_rehearsal()->set_left_out(3);
  answer.mutable_rehearsal()->add_notes("UDP is not seen.");
  EXPECT_EQ(RehearsalText(std::vector{answer}, kNow), R"(
front-desk: 1 kind of flow would be cut, 1 would stay
WOULD   PROGRAM          WAY  REMOTE                          PORT     SEEN      BECAUSE
BE CUT  ?                out  10.2.0.200                      tcp/445  1h ago    essential: no rule of the profile allows it
stay    /opt/pms/client  out  198.51.100.7 (pms.example.vet)  tcp/443  open now  profile rule 1
  3 older ones are left out
  UDP is not seen.
)");
}

TEST(RehearsalText, SeveralHostsAreSummedByProgramAndPeer) {
  v1::RehearseResponse a = Host("a");
  Add(&a, true, "/opt/pms/client", "198.51.100.7", 443, "pms.example.vet");
  Add(&a, true, "/opt/pms/client", "198.51.100.8", 443, "pms.example.vet");
  Add(&a, false, "/usr/bin/smbclient", "10.2.0.200", 445);
  v1::RehearseResponse b = Host("b");
  Add(&b, true, "/opt/pms/client", "198.51.100.9", 443, "pms.example.vet");
  Add(&b, false, "/opt/pms/client", "198.51.100.10", 443, "pms.example.vet");
  v1::RehearseResponse c = Host("c");
  c.set_answered(false);
  c.set_error("the host is not connected");
  const std::string text = RehearsalText(std::vector{a, b, c}, kNow);
  EXPECT_THAT(text, HasSubstr("1       1         /opt/pms/client     out  pms.example.vet  tcp/443"))
      << "two addresses of one name are one kind; one that is cut makes it cut\n"
      << text;
  EXPECT_THAT(text, HasSubstr("1       0         /usr/bin/smbclient  out  10.2.0.200       tcp/445"));
  EXPECT_THAT(text, HasSubstr("the host is not connected"));
  EXPECT_THAT(text, HasSubstr("NO ANSWER"));
}

TEST(RehearsalText, NothingToTellIsSaid) {
  EXPECT_THAT(RehearsalText(std::vector{Host("a")}, kNow),
              HasSubstr("a: 0 kinds of flow would be cut, 0 would stay"));
  v1::RehearseResponse away = Host("a");
  away.set_answered(false);
  const std::string text = RehearsalText(std::vector{away}, kNow);
  EXPECT_THAT(text, HasSubstr("NO ANSWER"));
  EXPECT_THAT(text, Not(HasSubstr("CUT ON")));
}

TEST(RehearsalText, WhatComesFromHostsIsShownSafely) {
  v1::RehearseResponse answer = Host("a\x1b[2J");
  Add(&answer, false, "/tmp/\x1b[31mred", "10.2.0.200", 445);
  EXPECT_THAT(RehearsalText(std::vector{answer}, kNow), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace cordon::ctl
