#include "agent/link/telemetry_uplink.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

TelemetryUplink::TelemetryUplink(boost::asio::io_context& loop, TelemetrySender& sender,
                                 BackoffSettings backoff)
    : loop_(loop), sender_(sender), backoff_(backoff), timer_(loop) {
  sender_.OnReady([this] { Pump(); });
}

void TelemetryUplink::Use(std::shared_ptr<Session> session) {
  wanted_ = std::move(session);
  failures_ = 0;
  if (std::exchange(waiting_, false)) timer_.cancel();
  Settle();
}

void TelemetryUplink::Stop(std::function<void()> stopped) {
  stopped_ = std::move(stopped);
  sender_.OnReady(nullptr);
  Use(nullptr);
}

// From what there is to what is wanted, one step at a time: the old stream has ended before the next one
// begins, so that the sender never serves two.
void TelemetryUplink::Settle() {
  if (stream_) {
    if (in_use_ != wanted_) Drop(absl::CancelledError("another connection is in use"));
  } else if (wanted_) {
    if (!waiting_) Open();
  } else if (stopped_) {
    boost::asio::post(loop_, std::exchange(stopped_, nullptr));
  }
}

void TelemetryUplink::Open() {
  in_use_ = wanted_;
  dropped_ = absl::OkStatus();
  writing_ = false;
  sender_.OnStreamOpened();
  stream_ = Stream::Start(loop_,
                          {.on_message = [this](const v1::TelemetryResponse& message) { OnMessage(message); },
                           .on_written =
                               [this] {
                                 writing_ = false;
                                 Pump();
                               },
                           .on_end = [this](const absl::Status& status) { OnEnd(status); }},
                          [this](grpc::ClientContext* context, auto* reactor) {
                            in_use_->Stub().async()->Telemetry(context, reactor);
                          });
}

void TelemetryUplink::Pump() {
  if (!stream_ || writing_ || !dropped_.ok()) return;
  absl::StatusOr<std::optional<v1::TelemetryRequest>> next = sender_.Next();
  if (!next.ok()) {
    Drop(next.status());
  } else if (next->has_value()) {
    writing_ = true;
    stream_->Write(**std::move(next));
  }
}

void TelemetryUplink::OnMessage(const v1::TelemetryResponse& message) {
  if (!dropped_.ok()) return;
  absl::Status status;
  switch (message.kind_case()) {
    case v1::TelemetryResponse::kPosition:
      status = sender_.OnPosition(message.position());
      break;
    case v1::TelemetryResponse::kAcknowledgement:
      status = sender_.OnAcknowledgement(message.acknowledgement());
      if (status.ok()) failures_ = 0;
      break;
    case v1::TelemetryResponse::kRefused:
      status = sender_.OnRefused(message.refused());
      break;
    case v1::TelemetryResponse::KIND_NOT_SET:
      break;
  }
  if (!status.ok()) {
    Drop(status);
  } else {
    Pump();
  }
}

void TelemetryUplink::Drop(const absl::Status& why) {
  if (!dropped_.ok()) return;
  dropped_ = why;
  stream_->Cancel();
}

void TelemetryUplink::OnEnd(const absl::Status& status) {
  const bool same_session = in_use_ == wanted_;
  const absl::Status why = dropped_.ok() ? status : dropped_;
  stream_ = nullptr;
  in_use_ = nullptr;
  sender_.OnStreamEnded();
  if (same_session && wanted_) {
    spdlog::warn("link: the telemetry stream ended: {}", Printable(Message(why)));
    waiting_ = true;
    timer_.expires_after(BackoffDelay(backoff_, failures_++));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      waiting_ = false;
      Settle();
    });
  }
  Settle();
}

}  // namespace cordon::agent
