#include "agent/telemetry/telemetry_sender.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

TelemetrySender::TelemetrySender(Spool& spool, Window window, std::function<void()> on_acknowledged)
    : spool_(spool), window_(window), on_acknowledged_(std::move(on_acknowledged)) {}

void TelemetrySender::OnReady(std::function<void()> listener) {
  listener_ = std::move(listener);
}

void TelemetrySender::TellReady() {
  if (listener_ && positioned_ && WindowHasRoom()) listener_();
}

void TelemetrySender::OnNewBatches() {
  TellReady();
}

void TelemetrySender::OnStreamOpened() {
  OnStreamEnded();
}

void TelemetrySender::OnStreamEnded() {
  positioned_ = false;
  in_flight_.clear();
  in_flight_bytes_ = 0;
  read_ahead_.clear();
}

absl::Status TelemetrySender::OnPosition(const v1::TelemetryPosition& position) {
  if (positioned_) return absl::FailedPreconditionError("the controller sent its position twice");
  CORDON_ASSIGN_OR_RETURN(sent_sequence_, spool_.Reconcile(position));
  chain_id_ = spool_.ChainId();
  positioned_ = true;
  on_acknowledged_();
  TellReady();
  return absl::OkStatus();
}

absl::Status TelemetrySender::OnAcknowledgement(const v1::Acknowledgement& acknowledgement) {
  if (acknowledgement.last_sequence() > sent_sequence_) {
    return absl::FailedPreconditionError(StrCat("the controller acknowledged ",
                                                acknowledgement.last_sequence(), ", and only ",
                                                sent_sequence_, " was sent"));
  }
  CORDON_RETURN_IF_ERROR(spool_.Acknowledge(acknowledgement.chain_id(), acknowledgement.last_sequence()));
  while (!in_flight_.empty() && in_flight_.front().last_sequence <= acknowledgement.last_sequence()) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
  on_acknowledged_();
  TellReady();
  return absl::OkStatus();
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

bool TelemetrySender::WindowHasRoom() const {
  return in_flight_.size() < window_.batches && in_flight_bytes_ < window_.bytes;
}

absl::Status TelemetrySender::Fill() {
  if (!read_ahead_.empty()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(std::vector<v1::Batch> batches,
                          spool_.Next(sent_sequence_, window_.bytes - in_flight_bytes_));
  for (v1::Batch& batch : batches) {
    if (batch.chain_id() != chain_id_) {
      return absl::FailedPreconditionError(
          "the spool has begun a new chain; the stream has to ask for its position");
    }
    read_ahead_.push_back(std::move(batch));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::TelemetryRequest>> TelemetrySender::Next() {
  if (!positioned_ || !WindowHasRoom()) return std::nullopt;
  CORDON_RETURN_IF_ERROR(Fill());
  if (read_ahead_.empty()) return std::nullopt;
  v1::TelemetryRequest request;
  *request.mutable_batch() = std::move(read_ahead_.front());
  read_ahead_.pop_front();
  const v1::Batch& batch = request.batch();
  sent_sequence_ = batch.first_sequence() + batch.event_count() - 1;
  in_flight_.push_back({.last_sequence = sent_sequence_, .bytes = batch.payload().size()});
  in_flight_bytes_ += batch.payload().size();
  return request;
}

}  // namespace cordon::agent
