#pragma once

#include <string>
#include <vector>

#include "cordon/v1/order.pb.h"

namespace cordon::testing {

// An order's isolate action that passes every check; tests change what they are about.
inline v1::IsolateAction Isolate(v1::Level level, v1::Fallback fallback = v1::FALLBACK_HOLD) {
  v1::IsolateAction action;
  action.set_level(level);
  action.set_fallback(fallback);
  return action;
}

inline v1::IsolateAction WithLease(v1::IsolateAction action, int64_t seconds,
                                   v1::Level then = v1::LEVEL_UNSPECIFIED) {
  action.mutable_lease()->mutable_length()->set_seconds(seconds);
  action.mutable_lease()->set_then(then);
  return action;
}

inline v1::IsolateAction WithRule(v1::IsolateAction action, v1::Direction direction,
                                  v1::TransportProtocol protocol, const std::vector<std::string>& networks,
                                  uint32_t port = 0) {
  action.mutable_profile()->set_name("clinic");
  v1::AllowRule* const rule = action.mutable_profile()->add_allow();
  rule->set_direction(direction);
  rule->set_protocol(protocol);
  for (const std::string& network : networks) rule->add_networks(network);
  if (port != 0) {
    rule->add_ports()->set_first(port);
    rule->mutable_ports(0)->set_last(port);
  }
  return action;
}

}  // namespace cordon::testing
