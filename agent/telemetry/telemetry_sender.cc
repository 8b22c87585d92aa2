#include "agent/telemetry/telemetry_sender.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

TelemetrySender::TelemetrySender(Spool& spool, const Clock& clock, Window window,
                                 std::function<void()> on_acknowledged)
    : spool_(spool), clock_(clock), window_(window), on_acknowledged_(std::move(on_acknowledged)) {
  marks_.push_back({.boot_nanos = 0, .last_sequence = spool_.Stats().last_sequence});
}

void TelemetrySender::OnReady(std::function<void()> listener) {
  listener_ = std::move(listener);
}

void TelemetrySender::TellReady() {
  if (listener_ && positioned_ && (HasRoom(backlog_) || (two_lanes_ && HasRoom(live_)))) listener_();
}

// Skipped when the last mark is fresh: then a little more counts as new.
void TelemetrySender::MarkTheTime() {
  constexpr int64_t kApartNanos = 250 * kNanosPerMilli;
  const int64_t now = clock_.BootNanos();
  if (now - marks_.back().boot_nanos < kApartNanos) return;
  marks_.push_back({.boot_nanos = now, .last_sequence = spool_.Stats().last_sequence});
  while (marks_.size() > 1 && marks_[1].boot_nanos <= now - kRecentNanos) marks_.pop_front();
}

void TelemetrySender::OnNewBatches() {
  MarkTheTime();
  TellReady();
}

void TelemetrySender::OnStreamOpened() {
  OnStreamEnded();
  const int64_t recent = clock_.BootNanos() - kRecentNanos;
  opened_chain_id_ = spool_.ChainId();
  for (const Mark& mark : marks_) {
    if (mark.boot_nanos <= std::max<int64_t>(recent, 0)) opened_sequence_ = mark.last_sequence;
  }
}

void TelemetrySender::OnStreamEnded() {
  positioned_ = false;
  backlog_ = {};
  live_ = {};
  two_lanes_ = false;
}

absl::Status TelemetrySender::OnPosition(const v1::TelemetryPosition& position) {
  if (positioned_) return absl::FailedPreconditionError("the controller sent its position twice");
  CORDON_ASSIGN_OR_RETURN(const uint64_t acknowledged, spool_.Reconcile(position));
  chain_id_ = spool_.ChainId();
  BeginLanes(position, acknowledged);
  positioned_ = true;
  on_acknowledged_();
  TellReady();
  return absl::OkStatus();
}

void TelemetrySender::BeginLanes(const v1::TelemetryPosition& position, uint64_t acknowledged) {
  chain_begun_ = position.chain_id() == chain_id_;
  stored_.clear();
  if (chain_begun_) stored_.assign(position.ahead().begin(), position.ahead().end());
  window_bytes_ = std::min(kFirstWindowBytes, window_.bytes);
  slowed_boot_nanos_ = 0;
  live_run_ = 0;
  backlog_ = {};
  live_ = {};
  backlog_.sent = acknowledged;
  const SpoolStats stats = spool_.Stats();
  // By what an event on the disk takes: some of those there may be acknowledged and not forgotten yet.
  const auto bytes_after = [&](uint64_t sequence) {
    return static_cast<double>(stats.last_sequence - sequence) * static_cast<double>(stats.bytes) /
           static_cast<double>(std::max<uint64_t>(1, stats.events));
  };
  const uint64_t newest = stored_.empty() ? acknowledged : stored_.back().last_sequence();
  const bool known = chain_id_ == opened_chain_id_;
  const uint64_t old = known ? std::max(opened_sequence_, newest) : stats.last_sequence;
  const double backlog_bytes = bytes_after(newest) - bytes_after(old);
  live_.opens = backlog_bytes > static_cast<double>(window_.backlog_bytes) && stored_.size() < kMaxSegments;
  live_.sent = live_.opens ? old : newest;
  two_lanes_ = live_.opens || !stored_.empty();
  if (two_lanes_) backlog_.end = live_.sent;
  SkipStored(backlog_);
}

// The controller has what comes next already.
void TelemetrySender::SkipStored(Lane& lane) const {
  for (const v1::Segment& segment : stored_) {
    if (segment.first_sequence() == lane.sent + 1) lane.sent = segment.last_sequence();
  }
}

absl::Status TelemetrySender::OnAcknowledgement(const v1::Acknowledgement& acknowledgement) {
  const uint64_t sent = std::max(backlog_.sent, live_.sent);
  if (acknowledgement.last_sequence() > sent) {
    return absl::FailedPreconditionError(StrCat(
        "the controller acknowledged ", acknowledgement.last_sequence(), ", and only ", sent, " was sent"));
  }
  CORDON_RETURN_IF_ERROR(spool_.Acknowledge(acknowledgement.chain_id(), acknowledgement.first_sequence(),
                                            acknowledgement.last_sequence()));
  Forget(backlog_, acknowledgement);
  Forget(live_, acknowledgement);
  on_acknowledged_();
  TellReady();
  return absl::OkStatus();
}

void TelemetrySender::Forget(Lane& lane, const v1::Acknowledgement& acknowledgement) {
  while (!lane.in_flight.empty() &&
         lane.in_flight.front().last_sequence >= acknowledgement.first_sequence() &&
         lane.in_flight.front().last_sequence <= acknowledgement.last_sequence()) {
    lane.in_flight_bytes -= lane.in_flight.front().bytes;
    FollowTheLine(lane.in_flight.front());
    lane.in_flight.pop_front();
  }
}

// Doubles what may be on its way while acknowledgements come fast, halves it when they take too long.
void TelemetrySender::FollowTheLine(const Sent& sent) {
  const int64_t now = clock_.BootNanos();
  if (now - sent.boot_nanos < kAimNanos / 2) {
    window_bytes_ = std::min(window_.bytes, window_bytes_ + sent.bytes);
  } else if (now - sent.boot_nanos > kAimNanos && sent.boot_nanos >= slowed_boot_nanos_) {
    window_bytes_ = std::max(std::min(kFirstWindowBytes, window_.bytes), window_bytes_ / 2);
    slowed_boot_nanos_ = now;
  }
}

absl::Status TelemetrySender::OnRefused(const v1::BatchRefused& refused) {
  const std::string what =
      StrCat("the controller refused batch ", refused.first_sequence(), ": ", Printable(refused.reason()));
  refusals_ = refused.first_sequence() == refused_sequence_ ? refusals_ + 1 : 1;
  refused_sequence_ = refused.first_sequence();
  if (refusals_ < kMaxRefusals) return absl::AbortedError(what);
  refusals_ = 0;
  CORDON_RETURN_IF_ERROR(Annotate(spool_.GiveUp(refused.first_sequence(), refused.reason()), what));
  return absl::AbortedError(StrCat(what, "; it is given up"));
}

bool TelemetrySender::HasRoom(const Lane& lane) const {
  return lane.in_flight.size() < window_.batches && lane.in_flight_bytes < window_bytes_;
}

absl::Status TelemetrySender::Fill(Lane& lane) {
  if (!lane.read_ahead.empty() || lane.sent >= lane.end) return absl::OkStatus();
  absl::StatusOr<std::vector<v1::Batch>> batches =
      spool_.Next(lane.sent, window_bytes_ - lane.in_flight_bytes);
  // Damage behind what is on its way: an error now would end the stream before that is acknowledged.
  if (absl::IsDataLoss(batches.status()) && !lane.in_flight.empty()) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(batches.status());
  for (v1::Batch& batch : *batches) {
    if (batch.chain_id() != chain_id_) {
      return absl::FailedPreconditionError(
          "the spool has begun a new chain; the stream has to ask for its position");
    }
    const bool stored = std::ranges::any_of(stored_, [&](const v1::Segment& segment) {
      return segment.first_sequence() == batch.first_sequence();
    });
    if (batch.first_sequence() > lane.end || stored) break;
    lane.read_ahead.push_back(std::move(batch));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TelemetrySender::Ready(Lane& lane) {
  if (!HasRoom(lane)) return false;
  CORDON_RETURN_IF_ERROR(Fill(lane));
  return !lane.read_ahead.empty();
}

v1::TelemetryRequest TelemetrySender::Take(Lane& lane) {
  v1::TelemetryRequest request;
  *request.mutable_batch() = std::move(lane.read_ahead.front());
  lane.read_ahead.pop_front();
  request.set_opens_segment(std::exchange(lane.opens, false));
  const v1::Batch& batch = request.batch();
  lane.sent = batch.first_sequence() + batch.event_count() - 1;
  lane.in_flight.push_back(
      {.last_sequence = lane.sent, .bytes = batch.payload().size(), .boot_nanos = clock_.BootNanos()});
  lane.in_flight_bytes += batch.payload().size();
  SkipStored(lane);
  chain_begun_ = true;
  return request;
}

absl::StatusOr<std::optional<v1::TelemetryRequest>> TelemetrySender::Next() {
  if (!positioned_) return std::nullopt;
  CORDON_ASSIGN_OR_RETURN(const bool backlog, Ready(backlog_));
  bool live = false;
  // A chain begins with its first batch, whatever else there is.
  if (two_lanes_ && chain_begun_) {
    CORDON_ASSIGN_OR_RETURN(live, Ready(live_));
  }
  if (live && (!backlog || live_run_ < kLiveRun)) {
    ++live_run_;
    return Take(live_);
  }
  if (!backlog) return std::nullopt;
  live_run_ = 0;
  return Take(backlog_);
}

}  // namespace cordon::agent
