#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/api/connections.h"

namespace cordon::agent {

// One kind of flow that the host has or had: same program, peer, protocol, direction and accepting port.
// `flow` is one of them.
struct KnownFlow {
  platform::Connection flow;
  std::string executable;          // empty = not known
  std::vector<std::string> names;  // that the peer's address was resolved from; the newest first
  bool live = false;
  uint64_t times_seen = 0;
  int64_t first_seen_unix_nanos = 0;
  int64_t last_seen_unix_nanos = 0;
};

// What the agent remembers of flows. Thread-safe.
class FlowMemory {
 public:
  virtual ~FlowMemory() = default;
  // Flows of the past, the most recent first, and from when on they were kept. May take some milliseconds.
  virtual std::vector<KnownFlow> Past() = 0;
  virtual int64_t SinceUnixNanos() const = 0;
  // The names that an address was resolved from, the newest first.
  virtual std::vector<std::string> NamesOf(const boost::asio::ip::address& address) const = 0;
  // What it cannot know, one sentence each.
  virtual std::vector<std::string> Notes() const = 0;
};

}  // namespace cordon::agent
