#pragma once

// The controller's gRPC server: AgentGateway, Operator, grpc.health.v1 and reflection on one port, mutual
// TLS 1.3.

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "controller/server/budgets.h"
#include "controller/server/doorkeeper.h"

namespace cordon::controller {

class Pki;
class Store;

struct ServerOptions {
  // "ADDRESS:PORT", IPv6 in brackets; port 0 takes a free one. 0.0.0.0 and [::] are all addresses of both
  // families.
  std::string listen = "0.0.0.0:7443";
  std::vector<std::string> controllers;  // "host:port" as hosts reach this fleet; stands in enrolment files
  int64_t heartbeat_interval_nanos = 10 * kNanosPerSecond;
  // A Control stream without a heartbeat, or without a Hello, for this long is ended.
  int64_t heartbeat_deadline_nanos = 30 * kNanosPerSecond;
  // A connection without a call for this long is closed.
  int64_t idle_connection_nanos = 60 * kNanosPerSecond;
  int workers = 4;  // threads for hosts' calls that wait for the store, and as many for operators'
  HostLimits host_limits;
  // Of one operator, open at once on all connections together: watches, polls, queries, exports.
  int operator_streams = 64;
  DoorLimits door_limits;  // `files` is what the system allows when the server starts
};

// Serves from Start until Stop. Thread-safe.
class Server {
 public:
  // `store`, `pki` and `clock` outlive the server. RequireTls13() (common/rpc/tls.h) was called before.
  // UNAVAILABLE when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, Store& store, Pki& pki,
                                                       const Clock& clock);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int Port() const;

  // Ends open streams with UNAVAILABLE, waits for the calls under way, commits what was received. Idempotent;
  // not from one of the server's own threads.
  void Stop();

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace cordon::controller
