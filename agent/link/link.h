#pragma once

// The agent's one connection to a controller: Control and Telemetry streams over one HTTP/2 connection,
// mutual TLS 1.3 pinned to the fleet's CA. Dials, notices death, dials again; renews the host's certificate
// before it lapses.

#include <absl/status/status.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/event/part_health.h"
#include "agent/link/backoff.h"
#include "agent/link/host_state.h"
#include "agent/link/resolver.h"
#include "agent/telemetry/telemetry_sender.h"
#include "common/base/clock.h"
#include "common/base/network.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::agent {

struct LinkSettings {
  BackoffSettings backoff;
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(15);  // dial to Welcome
  std::chrono::nanoseconds keepalive_interval = std::chrono::seconds(10);
  std::chrono::nanoseconds keepalive_timeout = std::chrono::seconds(5);
  // Bounds on what a Welcome may ask for: no controller can make the agent deaf or busy.
  std::chrono::nanoseconds shortest_heartbeat = std::chrono::seconds(1);
  std::chrono::nanoseconds longest_heartbeat = std::chrono::minutes(5);
  std::chrono::nanoseconds renewal_check =
      std::chrono::minutes(1);  // how often the certificate's age is looked at
  Lookup lookup = SystemLookup;
  // Asked on the loop for a name that `lookup` did not find, as where isolation shuts the system's lookups
  // out; may be empty.
  std::function<void(const std::string& name, Resolver::Done done)> own_lookup = {};
};

// The other side of the link within the agent. Every method is called on the agent loop and must not block.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;

  // Receipt, health and lanes; the link fills in facts, boot id and session. Addresses among the facts, if
  // there are any, stay in the place of those that the link was made with: they change while the agent runs.
  virtual v1::Hello MakeHello() = 0;
  // The short state; the link numbers it.
  virtual v1::Heartbeat MakeHeartbeat() = 0;
  // As it came: bounds and signatures are for the handler to check.
  virtual void OnOrder(const v1::SignedOrder& order, const v1::AuditProof& audit) = 0;
  virtual void OnHealthPoll(const v1::HealthPoll& poll) = 0;
  // The controller's answer to SendInboundProbe.
  virtual void OnInboundProbeSent(const v1::InboundProbeSent& /*sent*/) {}
  virtual void OnRehearsal(const v1::RehearsalRequest& request) = 0;
  // All addresses at which a controller of the enrolment file may be dialled; on every change, before the
  // first dial.
  virtual void OnControllerEndpoints(const std::vector<Endpoint>& endpoints) = 0;
  // By name, the address at which a controller answered last; on every change, and at the start from the
  // address book.
  virtual void OnControllersReached(
      const std::map<std::string, boost::asio::ip::address>& /*address_by_name*/) {}
  // A new certificate is in use and on disk.
  virtual void OnCertificateRenewed(int64_t not_after_unix_nanos) = 0;
};

struct LinkStatus {
  bool connected = false;            // a Welcome came, and every heartbeat since was answered in time
  std::string controller;            // "name:port (address)" in use, or the last one tried
  std::optional<Endpoint> endpoint;  // in use, while connected
  int64_t since_unix_nanos = 0;      // of `connected`
  std::string last_error;            // why the last connection ended or could not be made; empty at first
  int64_t certificate_not_after_unix_nanos = 0;
};

// Lives on the agent loop, except where a method says thread-safe. Give it up only after Stop's `stopped` has
// run.
class Link final : public HealthPart {
 public:
  struct Parts {
    boost::asio::io_context& loop;
    const Clock& clock;
    LinkHandler& handler;
    TelemetrySender& telemetry;
    std::filesystem::path state_dir;
    v1::HostFacts facts;
    std::string boot_id;
  };
  Link(Parts parts, HostState state, LinkSettings settings);
  ~Link() override;

  // FAILED_PRECONDITION when this gRPC cannot tag the agent's sockets: without the tag the packet filter
  // would shut the agent out.
  absl::Status Start();
  // Ends the streams; `stopped` runs on the loop once no callback can come any more.
  void Stop(std::function<void()> stopped);

  // Upward messages. Thread-safe, never block. Kept in a bounded outbox while there is no connection: the
  // newest receipt, the newest progress per order, and the newest 1,000 outcomes (which also travel as
  // events, TEL-2).
  void SendReceipt(v1::Receipt receipt);
  void SendOutcome(v1::OrderOutcome outcome);
  // The same, before the connection may be cut: `done(true)` on the loop when the controller has kept it,
  // `done(false)` after the deadline or when the connection ends before.
  void Deliver(v1::OrderOutcome outcome, std::chrono::nanoseconds deadline, std::function<void(bool)> done);
  void SendProgress(v1::ScanProgress progress);
  void SendHealth(v1::HealthAnswer answer);        // dropped when there is no connection: its asker is gone
  void SendRehearsal(v1::RehearsalAnswer answer);  // the same

  // Asks the controller for one packet to this host; dropped when there is no connection (ISO-7).
  void SendInboundProbe(v1::InboundProbeRequest request);

  // Asks the controller for a sign of life now; `done(true)` on the loop when it came before the deadline
  // (ISO-4). With no connection, waits for one until then.
  void Probe(std::chrono::nanoseconds deadline, std::function<void(bool)> done);

  // Drops what there is and dials at once, for a change of network or rules.
  void Redial(const std::string& why);

  // Other CA certificates, PEM, are the only trust anchors from now on (AUT-3): what there is is dropped, and
  // dialled again by them.
  void UseAuthorities(std::string ca_pem);

  // Thread-safe.
  LinkStatus Status() const;

  // HealthPart "cordon.link": serving while connected; the proof is an answered heartbeat. Prove() waits and
  // must not be called on the loop.
  std::string Name() const override;
  void Prove() override;
  PartState State() const override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cordon::agent
