#include "agent/link/outbox.h"

#include <utility>

namespace cordon::agent {

void Outbox::Put(v1::Receipt receipt) {
  receipt_ = std::move(receipt);
}

void Outbox::Put(v1::OrderOutcome outcome) {
  if (outcomes_.size() == kMaxOutcomes) outcomes_.pop_front();
  outcomes_.push_back(std::move(outcome));
}

void Outbox::Put(v1::ScanProgress progress) {
  const std::string scan = progress.order_id();
  if (progress_.size() == kMaxScans && !progress_.contains(scan))
    return;  // at most one scan runs; never seen
  progress_[scan] = std::move(progress);
}

void Outbox::Put(v1::HealthAnswer answer) {
  if (answers_.size() == kMaxAnswers) answers_.pop_front();
  answers_.push_back(std::move(answer));
}

void Outbox::Put(v1::InboundProbeRequest request) {
  inbound_probe_ = std::move(request);
}

void Outbox::Put(v1::RehearsalAnswer answer) {
  if (rehearsals_.size() == kMaxRehearsals) rehearsals_.pop_front();
  rehearsals_.push_back(std::move(answer));
}

std::optional<v1::ControlRequest> Outbox::Take() {
  v1::ControlRequest request;
  if (!outcomes_.empty()) {
    *request.mutable_outcome() = std::move(outcomes_.front());
    outcomes_.pop_front();
  } else if (receipt_) {
    *request.mutable_receipt() = *std::exchange(receipt_, std::nullopt);
  } else if (!answers_.empty()) {
    *request.mutable_health() = std::move(answers_.front());
    answers_.pop_front();
  } else if (inbound_probe_) {
    *request.mutable_inbound_probe() = *std::exchange(inbound_probe_, std::nullopt);
  } else if (!progress_.empty()) {
    *request.mutable_progress() = std::move(progress_.begin()->second);
    progress_.erase(progress_.begin());
  } else if (!rehearsals_.empty()) {
    *request.mutable_rehearsal() = std::move(rehearsals_.front());
    rehearsals_.pop_front();
  } else {
    return std::nullopt;
  }
  return request;
}

}  // namespace cordon::agent
