#pragma once

#include <string>
#include <vector>

#include "platform/api/packet_filter.h"

namespace cordon::testing {

inline platform::FilterRule Allow(platform::FlowDirection direction, platform::FlowProtocol protocol,
                                  const std::vector<std::string>& networks,
                                  std::vector<platform::PortRange> ports = {}) {
  platform::FilterRule rule{
      .direction = direction, .protocol = protocol, .networks = {}, .ports = std::move(ports)};
  for (const std::string& network : networks) rule.networks.push_back(ParseNetwork(network).value());
  return rule;
}

inline Endpoint At(const std::string& address, uint16_t port) {
  return {.address = boost::asio::ip::make_address(address), .port = port};
}

inline platform::FilterRule OfProgram(platform::FilterRule rule, size_t program) {
  rule.program = program;
  return rule;
}

// What a small clinic keeps open: its practice system and a card terminal's provider, the phones, a console
// that may look in, and for the imaging program alone the X-ray machines.
inline platform::FilterPolicy ClinicPolicy(platform::Level level) {
  using enum platform::FlowDirection;
  using enum platform::FlowProtocol;
  return {.level = level,
          .allow = {Allow(kOut, kTcp, {"10.2.0.0/16", "203.0.113.10", "2001:db8:2::/48"},
                          {{443, 443}, {8080, 8089}}),
                    Allow(kBoth, kUdp, {"10.3.0.5", "10.3.0.6", "10.3.0.7"}, {{5060, 5061}, {123, 123}}),
                    Allow(kIn, kTcp, {"10.4.0.0/24", "fd00:4::/64"}, {{3389, 3389}}),
                    Allow(kOut, kIcmpEcho, {"10.2.0.0/16", "2001:db8:2::/48"}),
                    OfProgram(Allow(kBoth, kTcp, {"10.9.0.0/24", "fd09::/64"}, {{7777, 7777}}), 0),
                    OfProgram(Allow(kBoth, kUdp, {"10.9.0.0/24", "fd09::/64"}, {{7778, 7778}}), 0),
                    OfProgram(Allow(kOut, kIcmpEcho, {"10.9.0.0/24"}), 1)},
          .controllers = {At("192.0.2.7", 7443), At("2001:db8::7", 7443)},
          .name_sets = {},
          .programs = {{.path = "/opt/imaging/bin/store", .sha256 = {}},
                       {.path = "/usr/bin/ping", .sha256 = {}}}};
}

inline constexpr platform::Level kAllLevels[] = {platform::Level::kObserve, platform::Level::kNoLateral,
                                                 platform::Level::kEssential,
                                                 platform::Level::kControllerOnly, platform::Level::kDark};

// "essential", for names of tests and goldens.
inline std::string LevelName(platform::Level level) {
  static constexpr const char* kNames[] = {"",          "observe",         "no-lateral",
                                           "essential", "controller-only", "dark"};
  return kNames[static_cast<int>(level)];
}

}  // namespace cordon::testing
