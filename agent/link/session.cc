#include "agent/link/session.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

Session::Session(boost::asio::io_context& loop, const LinkSettings& settings, Candidate candidate,
                 std::shared_ptr<grpc::Channel> channel, Owner& owner)
    : loop_(loop),
      settings_(settings),
      candidate_(std::move(candidate)),
      channel_(std::move(channel)),
      stub_(v1::AgentGateway::NewStub(channel_)),
      owner_(owner),
      beat_timer_(loop),
      deadline_timer_(loop) {}

void Session::Start(v1::Hello hello) {
  const auto self = shared_from_this();
  stream_ = BidiStream<v1::ControlRequest, v1::ControlResponse>::Start(
      loop_,
      {.on_message = [self](const v1::ControlResponse& message) { self->OnControl(message); },
       .on_written =
           [self] {
             self->writing_ = false;
             self->Pump();
           },
       .on_end = [self](const absl::Status& status) { self->OnStreamEnd(status); }},
      [this](grpc::ClientContext* context, auto* reactor) { stub_->async()->Control(context, reactor); });
  v1::ControlRequest request;
  *request.mutable_hello() = std::move(hello);
  writing_ = true;
  stream_->Write(std::move(request));
  deadline_timer_.expires_after(settings_.connect_timeout);
  deadline_timer_.async_wait([self](const boost::system::error_code& error) {
    if (!error && !self->welcomed_)
      self->Close(absl::DeadlineExceededError("no welcome within the time for dialling"));
  });
}

void Session::Pump() {
  if (writing_ || closed_ || !welcomed_) return;
  std::optional<v1::ControlRequest> next;
  if (first_.empty()) {
    next = owner_.NextMessage(*this);
  } else {
    next = std::move(first_.front());
    first_.pop_front();
  }
  if (!next) return;
  writing_ = true;
  stream_->Write(*std::move(next));
}

uint64_t Session::Beat() {
  v1::ControlRequest request;
  *request.mutable_heartbeat() = owner_.MakeHeartbeat();
  request.mutable_heartbeat()->set_id(++last_beat_);
  first_.push_back(std::move(request));
  outstanding_.push_back({last_beat_, std::chrono::steady_clock::now() + deadline_});
  if (outstanding_.size() == 1) WatchDeadline();
  Pump();
  return last_beat_;
}

void Session::Close(const absl::Status& why) {
  if (closed_) return;
  closed_ = true;
  why_ = why;
  beat_timer_.cancel();
  deadline_timer_.cancel();
  stream_->Cancel();
}

void Session::OnControl(const v1::ControlResponse& message) {
  if (closed_) return;
  switch (message.kind_case()) {
    case v1::ControlResponse::kWelcome:
      if (!welcomed_) OnWelcome(message.welcome());
      return;
    case v1::ControlResponse::kHeartbeatAck:
      OnAnswer(message.heartbeat_ack().id());
      return;
    default:
      if (welcomed_) owner_.OnMessage(*this, message);
  }
}

void Session::OnWelcome(const v1::Welcome& welcome) {
  const auto within = [this](int64_t nanos) {
    return std::clamp(std::chrono::nanoseconds(nanos), settings_.shortest_heartbeat,
                      settings_.longest_heartbeat);
  };
  welcomed_ = true;
  interval_ = within(welcome.heartbeat_interval_nanos());
  deadline_ = within(welcome.heartbeat_deadline_nanos());
  deadline_timer_.cancel();
  owner_.OnWelcome(*this, welcome);
  Beat();
  ScheduleBeat();
}

void Session::OnAnswer(uint64_t id) {
  if (id > last_beat_ || outstanding_.empty() || id < outstanding_.front().id) return;
  while (!outstanding_.empty() && outstanding_.front().id <= id) outstanding_.pop_front();
  last_answered_ = id;
  deadline_timer_.cancel();
  if (!outstanding_.empty()) WatchDeadline();
  owner_.OnHeartbeatAnswered(*this);
}

void Session::ScheduleBeat() {
  beat_timer_.expires_after(interval_);
  beat_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    if (self->outstanding_.empty()) self->Beat();  // else its deadline decides
    self->ScheduleBeat();
  });
}

void Session::WatchDeadline() {
  deadline_timer_.expires_at(outstanding_.front().deadline);
  deadline_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->closed_ || self->outstanding_.empty()) return;
    if (self->outstanding_.front().deadline > std::chrono::steady_clock::now())
      return;  // answered in the meantime
    self->Close(absl::DeadlineExceededError(
        StrCat("no answer to a heartbeat for ", FormatDuration(self->deadline_.count()))));
  });
}

void Session::OnStreamEnd(const absl::Status& status) {
  const bool by_us = std::exchange(closed_, true);
  beat_timer_.cancel();
  deadline_timer_.cancel();
  stream_ = nullptr;
  absl::Status why = by_us ? why_ : status;
  if (!by_us && why.ok()) why = absl::UnavailableError("the controller ended the stream");
  owner_.OnEnded(*this, why);
}

}  // namespace cordon::agent
