#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/spool/spool.h"

namespace cordon::testing {

// Takes events into memory, and can refuse or hold back writes. Thread-safe.
class StubbornSpool final : public agent::Spool {
 public:
  absl::Status Append(const std::vector<agent::EventGroup>& groups) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !held_; });
    if (full_) return absl::ResourceExhaustedError("the disk is full");
    for (const agent::EventGroup& group : groups) {
      for (const TimedEvent& timed : group.events) events_.emplace_back().ParseFromString(timed.bytes);
    }
    ++writes_;
    changed_.notify_all();
    return absl::OkStatus();
  }
  absl::Status Maintain() override { return Append({}); }
  absl::Status CloseCleanly() override {
    closed_cleanly_ = true;
    return absl::OkStatus();
  }

  void Damage(absl::Status what) {
    const std::lock_guard lock(mutex_);
    readable_ = std::move(what);
  }
  absl::Status Readable() const override {
    const std::lock_guard lock(mutex_);
    return readable_;
  }

  void FillDisk() { Set(&full_, true); }
  void FreeDisk() { Set(&full_, false); }
  // Writes do not return until Resume.
  void Hold() { Set(&held_, true); }
  void Resume() { Set(&held_, false); }

  std::vector<v1::Event> Events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  int Writes() const {
    const std::lock_guard lock(mutex_);
    return writes_;
  }
  bool ClosedCleanly() const { return closed_cleanly_; }

  // What a sender sees.
  absl::StatusOr<std::vector<v1::Batch>> Next(uint64_t after_sequence, size_t max_bytes) override {
    std::vector<v1::Batch> result;
    size_t bytes = 0;
    for (const v1::Batch& batch : batches_) {
      if (batch.first_sequence() <= after_sequence) continue;
      if (batch.first_sequence() == damaged_) break;
      bytes += batch.payload().size();
      if (!result.empty() && bytes > max_bytes) break;
      result.push_back(batch);
    }
    if (result.empty() && damaged_ != 0) return absl::DataLossError("a damaged header");
    return result;
  }
  absl::Status Acknowledge(const std::string& chain_id, uint64_t /*first_sequence*/,
                           uint64_t last_sequence) override {
    if (chain_id != chain_id_) return absl::FailedPreconditionError("another chain");
    acknowledged_ = last_sequence;
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> Reconcile(const v1::TelemetryPosition& controller) override {
    acknowledged_ = controller.acknowledged_sequence();
    return acknowledged_;
  }
  absl::Status GiveUp(uint64_t first_sequence, const std::string&) override {
    given_up_.push_back(first_sequence);
    return absl::OkStatus();
  }
  std::string ChainId() const override { return chain_id_; }
  agent::SpoolStats Stats() const override { return {}; }
  std::string SetAsideNotice() const override { return ""; }

  // Puts a batch of one event in the queue.
  void AddBatch(size_t payload_bytes) {
    v1::Batch& batch = batches_.emplace_back();
    batch.set_first_sequence(batches_.size());
    batch.set_event_count(1);
    batch.set_chain_id(chain_id_);
    batch.set_payload(std::string(payload_bytes, 'p'));
  }
  void BeginChain(const std::string& chain_id) {
    chain_id_ = chain_id;
    for (v1::Batch& batch : batches_) batch.set_chain_id(chain_id);
  }
  // Of the batch with this number the header cannot be read.
  void DamageBatch(uint64_t first_sequence) { damaged_ = first_sequence; }
  uint64_t Acknowledged() const { return acknowledged_; }
  const std::vector<uint64_t>& GivenUp() const { return given_up_; }

 private:
  void Set(bool* what, bool value) {
    const std::lock_guard lock(mutex_);
    *what = value;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool full_ = false;
  bool held_ = false;
  bool closed_cleanly_ = false;
  absl::Status readable_;
  std::vector<v1::Event> events_;
  int writes_ = 0;
  std::string chain_id_ = "chain-1";
  std::vector<v1::Batch> batches_;
  std::vector<uint64_t> given_up_;
  uint64_t acknowledged_ = 0;
  uint64_t damaged_ = 0;
};

}  // namespace cordon::testing
