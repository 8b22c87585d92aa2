#pragma once

// The pure half of the link watcher: one rtnetlink message to facts.

#include <cstddef>
#include <optional>
#include <string>

namespace cordon::platform {

struct LinkNews {
  std::string name;
  bool is_there = false;  // it is in this network namespace now
  // It went into another namespace, and what it sends there passes no interface of this one: a network card,
  // or a virtual cable to another machine. False for one end of a cable whose other end stays, and for what
  // sits upon an interface that stays (macvlan, VLAN).
  bool took_a_way_out = false;
  friend bool operator==(const LinkNews&, const LinkNews&) = default;
};

// Of one netlink message with its header; nothing for other messages.
std::optional<LinkNews> ParseLinkNews(const void* message, size_t bytes);

}  // namespace cordon::platform
