#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "agent/spool/spool.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::agent {

// Which batch goes up the Telemetry stream next. Knows nothing of gRPC: the link tells it what came and asks
// it for what to write, one at a time, all on the agent loop.
//
//   stream opens ─► OnStreamOpened ─► position comes ─► OnPosition ─► Next … (write done) … Next ─► nothing:
//   wait for the listener ─► acknowledgement comes ─► OnAcknowledgement ─► Next …        stream ends ─►
//   OnStreamEnded
class TelemetrySender {
 public:
  struct Window {
    size_t batches = 32;
    size_t bytes = 4 * 1024 * 1024;
  };

  static constexpr int kMaxRefusals = 3;

  // `on_acknowledged`: the spool may forget something (Batcher::WakeForMaintenance). `spool` must outlive the
  // sender.
  TelemetrySender(Spool& spool, Window window, std::function<void()> on_acknowledged);

  // `listener` is called when Next may have something again: a window that was full has room, or a position
  // came. New batches in the spool are told by calling OnNewBatches on the loop.
  void OnReady(std::function<void()> listener);
  void OnNewBatches();

  void OnStreamOpened();
  // Errors of all three: the stream is of no more use; drop it with this reason and open another later.
  absl::Status OnPosition(const v1::TelemetryPosition& position);
  absl::Status OnAcknowledgement(const v1::Acknowledgement& acknowledgement);
  // Always an error: says what was refused and why. The spool keeps the batch; refused for the
  // kMaxRefusals-th time in a row it gives it up.
  absl::Status OnRefused(const v1::BatchRefused& refused);
  void OnStreamEnded();

  // The next message up; nothing while there is no position, the window is full, or all is sent.
  absl::StatusOr<std::optional<v1::TelemetryRequest>> Next();

  size_t InFlight() const { return in_flight_.size(); }

 private:
  struct Sent {
    uint64_t last_sequence = 0;
    size_t bytes = 0;
  };
  absl::Status Fill();
  bool WindowHasRoom() const;
  void TellReady();

  Spool& spool_;
  const Window window_;
  const std::function<void()> on_acknowledged_;
  std::function<void()> listener_;
  bool positioned_ = false;
  std::string chain_id_;
  uint64_t sent_sequence_ = 0;
  std::deque<Sent> in_flight_;
  size_t in_flight_bytes_ = 0;
  std::deque<v1::Batch> read_ahead_;
  uint64_t refused_sequence_ = 0;
  int refusals_ = 0;  // of that one in a row
};

}  // namespace cordon::agent
