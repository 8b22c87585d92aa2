#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/link/address_book.h"
#include "agent/link/link.h"
#include "agent/link/outbox.h"
#include "agent/link/renewer.h"
#include "agent/link/resolver.h"
#include "agent/link/session.h"
#include "agent/link/telemetry_uplink.h"

namespace cordon::agent {

// Which controller to be connected to, and since when. On the agent loop but for Send, Status and State.
//
//   Start ─► round: look names up, list the candidates ─► dial each in turn ─► Welcome ─► in use
//              ▲                                             │ all failed         │ it ends
//              └──────────────── back-off ◄──────────────────┴────────────────────┘
//
// Beside the session in use stands at most one `successor_`, dialled with a renewed certificate; it takes
// over at its Welcome, so that the renewal leaves no gap (AUT-1).
class Link::Impl final : public Session::Owner, public std::enable_shared_from_this<Link::Impl> {
 public:
  Impl(Parts parts, HostState state, LinkSettings settings);

  boost::asio::io_context& Loop() { return parts_.loop; }
  void Start();
  void Stop(std::function<void()> stopped);
  void Probe(std::chrono::nanoseconds deadline, std::function<void(bool)> done);
  void Deliver(v1::OrderOutcome outcome, std::chrono::nanoseconds deadline, std::function<void(bool)> done);
  void Redial(const std::string& why);
  void UseAuthorities(std::string ca_pem);
  LinkStatus Status() const;
  PartState State() const;

  template <typename Message>
  void Send(Message message) {
    {
      const std::lock_guard lock(mutex_);
      outbox_.Put(std::move(message));
      if (pump_posted_) return;
      pump_posted_ = true;
    }
    PostPump();
  }

 private:
  struct PendingProbe {
    explicit PendingProbe(boost::asio::io_context& loop) : timer(loop) {}
    boost::asio::steady_timer timer;
    uint64_t beat = 0;  // 0 = no connection yet
    // Beats when the outbox has been sent; sent again where a renewed connection takes over.
    std::optional<v1::OrderOutcome> delivery;
    std::function<void(bool)> done;
  };

  // Session::Owner
  void OnWelcome(Session& session, const v1::Welcome& welcome) override;
  void OnHeartbeatAnswered(Session& session) override;
  void OnMessage(Session& session, const v1::ControlResponse& message) override;
  v1::Heartbeat MakeHeartbeat() override { return parts_.handler.MakeHeartbeat(); }
  std::optional<v1::ControlRequest> NextMessage(Session& session) override;
  void OnEnded(Session& session, const absl::Status& why) override;

  void StartRound();
  void DialNext();
  void LookNamesUp();
  void Learn(const std::string& name, const absl::StatusOr<std::vector<boost::asio::ip::address>>& addresses);
  void SaveBook();
  void PublishEndpoints();
  void WaitBeforeNextRound();
  std::shared_ptr<Session> Dial(const Candidate& candidate);
  v1::Hello MakeHello();
  void OnCurrentEnded(const absl::Status& why);
  void OnRenewed();
  std::shared_ptr<PendingProbe> AddProbe(std::chrono::nanoseconds deadline, std::function<void(bool)> done);
  void BeatAfterDelivery();
  void DeliverAgain();
  void FinishProbe(const std::shared_ptr<PendingProbe>& probe, bool answered);
  void PostPump();
  void FinishStopping();
  void SetError(const std::string& controller, const absl::Status& why);

  const Parts parts_;
  const LinkSettings settings_;
  const std::string session_id_;  // of this run: tells a reconnect from a clone
  HostState state_;
  AddressBook book_;
  Resolver resolver_;
  Renewer renewer_;
  TelemetryUplink uplink_;
  boost::asio::steady_timer timer_;  // back-off
  std::vector<Candidate> candidates_;
  size_t next_candidate_ = 0;
  uint32_t failed_rounds_ = 0;
  bool waiting_for_names_ = false;
  bool started_ = false;
  std::vector<Endpoint> published_;
  std::shared_ptr<Session> current_;
  std::shared_ptr<Session> successor_;
  std::vector<std::shared_ptr<Session>> ending_;
  std::vector<std::shared_ptr<PendingProbe>> probes_;
  std::function<void()> stopped_;  // set while stopping
  int parts_still_running_ = 0;    // while stopping

  mutable std::mutex mutex_;  // of what follows
  Outbox outbox_;
  bool pump_posted_ = false;
  LinkStatus status_;
  int64_t last_answer_unix_nanos_ = 0;
};

}  // namespace cordon::agent
