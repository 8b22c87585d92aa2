#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "agent/spool/spool.h"

namespace cordon::testing {

// A queue in memory: batches of one event each, acknowledged and forgotten. Thread-safe.
class FakeSpool final : public agent::Spool {
 public:
  // Puts `count` batches in.
  void Fill(int count) {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < count; ++i) {
      v1::Batch batch;
      batch.set_first_sequence(++last_);
      batch.set_event_count(1);
      batch.set_event_class(v1::EVENT_CLASS_PROCESS);
      batch.set_chain_id(kChain);
      batch.set_payload("event " + std::to_string(last_));
      batches_.push_back(std::move(batch));
    }
  }
  uint64_t Acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }

  absl::Status Append(const std::vector<agent::EventGroup>& /*groups*/) override {
    return absl::UnimplementedError("use Fill");
  }
  absl::Status Maintain() override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<v1::Batch>> Next(uint64_t after_sequence, size_t /*max_bytes*/) override {
    const std::lock_guard lock(mutex_);
    std::vector<v1::Batch> found;
    std::ranges::copy_if(batches_, std::back_inserter(found),
                         [&](const v1::Batch& batch) { return batch.first_sequence() > after_sequence; });
    return found;
  }
  absl::Status Acknowledge(const std::string& /*chain_id*/, uint64_t /*first_sequence*/,
                           uint64_t last_sequence) override {
    const std::lock_guard lock(mutex_);
    acknowledged_ = last_sequence;
    std::erase_if(batches_, [&](const v1::Batch& batch) { return batch.first_sequence() <= last_sequence; });
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> Reconcile(const v1::TelemetryPosition& controller) override {
    return controller.acknowledged_sequence();
  }
  absl::Status GiveUp(uint64_t first_sequence, const std::string& /*reason*/) override {
    const std::lock_guard lock(mutex_);
    for (v1::Batch& batch : batches_) {
      if (batch.first_sequence() == first_sequence) batch.clear_payload();
    }
    return absl::OkStatus();
  }
  std::string ChainId() const override { return kChain; }
  agent::SpoolStats Stats() const override {
    const std::lock_guard lock(mutex_);
    return {.events = batches_.size(), .last_sequence = last_, .acknowledged_sequence = acknowledged_};
  }
  absl::Status CloseCleanly() override { return absl::OkStatus(); }
  std::string SetAsideNotice() const override { return {}; }

 private:
  static constexpr const char* kChain = "00000000-0000-4000-8000-000000000001";

  mutable std::mutex mutex_;
  std::vector<v1::Batch> batches_;
  uint64_t last_ = 0;
  uint64_t acknowledged_ = 0;
};

}  // namespace cordon::testing
