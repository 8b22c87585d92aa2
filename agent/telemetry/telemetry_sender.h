#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "common/base/clock.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::agent {

// Which batch goes up the Telemetry stream next. Knows nothing of gRPC: the link tells it what came and asks
// it for what to write, one at a time, all on the agent loop.
//
//   stream opens ─► OnStreamOpened ─► position comes ─► OnPosition ─► Next … (write done) … Next ─► nothing:
//   wait for the listener ─► acknowledgement comes ─► OnAcknowledgement ─► Next …        stream ends ─►
//   OnStreamEnded
//
// After a long time offline there are two lanes: what is new, from kRecentNanos before the stream opened on,
// opens a segment of the chain and goes first, the backlog fills the hole behind it with what the line has
// left, and with every kLiveRun-th batch at least. How much is on its way follows from how long
// acknowledgements take, so that a slow line has no long queue in front of a new event, or of an order's
// outcome on the other stream.
class TelemetrySender {
 public:
  struct Window {
    size_t batches = 32;                // of a lane
    size_t bytes = 4 * 1024 * 1024;     // of a lane, at most
    size_t backlog_bytes = 256 * 1024;  // more than this to send: it is a backlog
  };

  static constexpr int kMaxRefusals = 3;
  static constexpr int kLiveRun = 3;
  static constexpr int kMaxSegments = 16;
  static constexpr size_t kFirstWindowBytes = 64 * 1024;
  static constexpr int64_t kAimNanos = 2 * kNanosPerSecond;  // from sending to acknowledgement
  static constexpr int64_t kRecentNanos = 10 * kNanosPerSecond;

  // `on_acknowledged`: the spool may forget something (Batcher::WakeForMaintenance). `spool` and `clock` must
  // outlive the sender.
  TelemetrySender(Spool& spool, const Clock& clock, Window window, std::function<void()> on_acknowledged);

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

  // The next message up; nothing while there is no position, the windows are full, or all is sent.
  absl::StatusOr<std::optional<v1::TelemetryRequest>> Next();

  // For tests: that the window is kept.
  size_t InFlight() const { return backlog_.in_flight.size() + live_.in_flight.size(); }

 private:
  struct Sent {
    uint64_t last_sequence = 0;
    size_t bytes = 0;
    int64_t boot_nanos = 0;
  };
  // The spool had this much at that time.
  struct Mark {
    int64_t boot_nanos = 0;
    uint64_t last_sequence = 0;
  };
  // Batches in order, from a place in the chain.
  struct Lane {
    uint64_t sent = 0;
    uint64_t end = UINT64_MAX;  // the last number that is this lane's
    bool opens = false;         // its next batch opens a segment
    std::deque<v1::Batch> read_ahead;
    std::deque<Sent> in_flight;
    size_t in_flight_bytes = 0;
  };

  void MarkTheTime();
  void BeginLanes(const v1::TelemetryPosition& position, uint64_t acknowledged);
  absl::Status Fill(Lane& lane);
  absl::StatusOr<bool> Ready(Lane& lane);
  v1::TelemetryRequest Take(Lane& lane);
  void SkipStored(Lane& lane) const;
  bool HasRoom(const Lane& lane) const;
  void Forget(Lane& lane, const v1::Acknowledgement& acknowledgement);
  void FollowTheLine(const Sent& sent);
  void TellReady();

  Spool& spool_;
  const Clock& clock_;
  const Window window_;
  const std::function<void()> on_acknowledged_;
  std::function<void()> listener_;
  bool positioned_ = false;
  std::string chain_id_;
  std::string
      opened_chain_id_;  // what the spool had a moment before the stream opened; what came since is new
  uint64_t opened_sequence_ = 0;
  std::deque<Mark> marks_;           // never empty; the first one is older than kRecentNanos, or the start
  std::vector<v1::Segment> stored_;  // beyond a hole, by the position; by sequence
  Lane backlog_;                     // the only one, unless there is a backlog
  Lane live_;
  bool two_lanes_ = false;
  bool chain_begun_ = false;  // the controller has, or was sent, the chain's first batch
  int live_run_ = 0;          // live batches since the last one of the backlog
  size_t window_bytes_ = 0;   // of a lane, now
  int64_t slowed_boot_nanos_ = 0;
  uint64_t refused_sequence_ = 0;
  int refusals_ = 0;  // of that one in a row
};

}  // namespace cordon::agent
