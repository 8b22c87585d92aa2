#pragma once

#include <grpcpp/channel.h>

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/link/address_book.h"
#include "agent/link/link.h"
#include "agent/link/stream.h"
#include "cordon/v1/gateway.grpc.pb.h"

namespace cordon::agent {

// One connection to one controller: the Control stream, its greeting and its heartbeats. On the agent loop.
// Kept alive by its own stream until the end.
class Session final : public std::enable_shared_from_this<Session> {
 public:
  // What the session needs of the link, on the loop. OnEnded is the last call.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnWelcome(Session& session, const v1::Welcome& welcome) = 0;
    virtual void OnHeartbeatAnswered(Session& session) = 0;
    virtual void OnMessage(Session& session, const v1::ControlResponse& message) = 0;
    virtual v1::Heartbeat MakeHeartbeat() = 0;
    virtual std::optional<v1::ControlRequest> NextMessage(Session& session) = 0;
    virtual void OnEnded(Session& session, const absl::Status& why) = 0;
  };

  Session(boost::asio::io_context& loop, const LinkSettings& settings, Candidate candidate,
          std::shared_ptr<grpc::Channel> channel, Owner& owner);

  void Start(v1::Hello hello);
  // The outbox has something.
  void Pump();
  // Beats now, out of turn. Returns the beat's number.
  uint64_t Beat();
  // Ends it; OnEnded gets `why`.
  void Close(const absl::Status& why);

  bool Welcomed() const { return welcomed_; }
  uint64_t LastAnswered() const { return last_answered_; }
  const Candidate& Where() const { return candidate_; }
  v1::AgentGateway::Stub& Stub() { return *stub_; }

 private:
  struct Outstanding {
    uint64_t id;
    std::chrono::steady_clock::time_point deadline;
  };

  void OnControl(const v1::ControlResponse& message);
  void OnWelcome(const v1::Welcome& welcome);
  void OnAnswer(uint64_t id);
  void OnStreamEnd(const absl::Status& status);
  void ScheduleBeat();
  void WatchDeadline();

  boost::asio::io_context& loop_;
  const LinkSettings& settings_;
  const Candidate candidate_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AgentGateway::Stub> stub_;
  Owner& owner_;
  std::shared_ptr<BidiStream<v1::ControlRequest, v1::ControlResponse>> stream_;
  boost::asio::steady_timer beat_timer_;
  boost::asio::steady_timer deadline_timer_;
  std::chrono::nanoseconds interval_{};
  std::chrono::nanoseconds deadline_{};
  std::deque<v1::ControlRequest> first_;  // beats, before all else
  std::deque<Outstanding> outstanding_;
  uint64_t last_beat_ = 0;
  uint64_t last_answered_ = 0;
  bool welcomed_ = false;
  bool writing_ = false;
  bool closed_ = false;
  absl::Status why_;
};

}  // namespace cordon::agent
