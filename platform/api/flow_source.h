#pragma once

// Flows of this host as they begin: TCP connections and UDP exchanges with a peer, both directions, IPv4 and
// IPv6.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/api/connections.h"

namespace cordon::platform {

// A flow that began, or that was found open. Of `flow` these are filled in: protocol, direction, both
// endpoints as far as they are known (a local port may be 0), agent_owned.
struct RawFlow {
  int64_t boottime_nanos = 0;
  Connection flow;
  uint32_t pid = 0;        // of the program, at that time; 0 = not known
  std::string executable;  // where the source knows it: else the pid leads to it
  uint32_t times = 1;      // how many flows of this kind it stands for; 0 = one that goes on
};

// What a source can and cannot see, for people.
struct FlowSourceInfo {
  std::string name;  // "ebpf", "polling", …
  bool fallback = false;
  std::vector<std::string> limitations;  // sentences
  bool tells_udp = false;                // of every kind
};

// Tells each kind of flow (program, direction, protocol, peer, accepting port) at least once when it happens
// and at most once a minute; TCP when the connection stands, UDP by its first datagram, whose sender says the
// direction. What is open at Start is told first, what stays open again every ten minutes. Flows over
// loopback may be left out. Sees the network namespace of the thread that calls Start.
class FlowSource {
 public:
  virtual ~FlowSource() = default;

  // Starts a thread that calls `deliver` with batches, within seconds.
  virtual absl::Status Start(std::function<void(std::span<RawFlow>)> deliver) = 0;
  // Returns after the last call of `deliver`.
  virtual void Stop() = 0;
  // Returns when every flow that began before the call has been delivered, or after a second.
  virtual void Flush() = 0;
  // Flows that could not be told, since Start.
  virtual uint64_t Lost() const = 0;
  virtual FlowSourceInfo Info() const = 0;
};

// The best source that works here: eBPF, else polling. Never nullptr; Start says what is missing.
std::unique_ptr<FlowSource> MakeFlowSource();
// "ebpf" or "polling", for tests; nullptr for an unknown one.
std::unique_ptr<FlowSource> MakeFlowSource(std::string_view name);

// A TCP connection and a datagram of this process with itself, over an address of the host that is not
// loopback: the canary of flow sources. The connection stays open as long as the object.
class OwnTraffic {
 public:
  virtual ~OwnTraffic() = default;
  // The accepting ends, known before anything happens.
  virtual Endpoint Tcp() const = 0;
  virtual Endpoint Udp() const = 0;
  virtual absl::Status Happen() = 0;  // once
};
// NOT_FOUND when the host has no such address. In the network namespace of the calling thread.
absl::StatusOr<std::unique_ptr<OwnTraffic>> MakeOwnTraffic();

}  // namespace cordon::platform
