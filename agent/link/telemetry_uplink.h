#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "agent/link/backoff.h"
#include "agent/link/session.h"
#include "agent/link/stream.h"
#include "agent/telemetry/telemetry_sender.h"

namespace cordon::agent {

// Keeps one Telemetry stream open on the session in use, and moves batches from the sender to it and
// acknowledgements back. A stream that breaks (a refused batch, a position that does not fit) is opened again
// after a back-off, without harm to Control. On the agent loop.
class TelemetryUplink {
 public:
  TelemetryUplink(boost::asio::io_context& loop, TelemetrySender& sender, BackoffSettings backoff);

  // The session to be on from now on; nullptr: none.
  void Use(std::shared_ptr<Session> session);
  // `stopped` on the loop when no callback can come any more.
  void Stop(std::function<void()> stopped);

 private:
  using Stream = BidiStream<v1::TelemetryRequest, v1::TelemetryResponse>;

  void Settle();
  void Open();
  void Pump();
  void OnMessage(const v1::TelemetryResponse& message);
  void OnEnd(const absl::Status& status);
  void Drop(const absl::Status& why);

  boost::asio::io_context& loop_;
  TelemetrySender& sender_;
  const BackoffSettings backoff_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Session> wanted_;
  std::shared_ptr<Session> in_use_;  // of stream_
  std::shared_ptr<Stream> stream_;
  absl::Status dropped_;  // why we ended it ourselves
  uint32_t failures_ = 0;
  bool writing_ = false;
  bool waiting_ = false;
  std::function<void()> stopped_;
};

}  // namespace cordon::agent
