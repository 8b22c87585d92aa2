#pragma once

// A host's real spool and sender and a controller's real store, each on a disk of its own that can fail, with
// a stream between them that a test moves by hand: everything between the sensors and the store but gRPC.
// Keeps the ground truth.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/spool/spool.h"
#include "agent/telemetry/telemetry_sender.h"
#include "common/base/status.h"
#include "controller/store/sqlite_store.h"
#include "tests/support/fault_disk.h"
#include "tests/support/spool_box.h"
#include "tests/support/store_box.h"
#include "tests/support/stored_chains.h"

namespace cordon::testing {

class DeliveryRig {
 public:
  explicit DeliveryRig(uint32_t seed = 1, uint64_t limit_bytes = 64 * 1024 * 1024)
      : agent_disk(folder_ / "agent", seed),
        controller_disk(folder_ / "controller", seed + 1),
        clock_(WallNowNanos()) {
    settings_.file = AgentFile();
    settings_.host_id = kSpoolHost;
    settings_.limit_bytes = limit_bytes;
    Must(controller::CreateSqliteStore(StoreFile(), {fleet_.FleetId(), fleet_.Organisation(), fleet_.Trust()},
                                       clock_));
    Must(StartController());
    EnrolHost();
    Must(StartAgent());
  }

  std::filesystem::path AgentFile() const { return folder_ / "agent" / "agent.db"; }
  std::filesystem::path StoreFile() const { return folder_ / "controller" / "store.db"; }
  agent::Spool& Spool() { return *spool_; }
  controller::Store& Store() { return *store_; }
  FakeClock& Time() { return clock_; }
  agent::SpoolSettings& Settings() { return settings_; }

  // -- Processes that stop without a word, and start
  void StopAgent() {
    Disconnect();
    sender_.reset();
    spool_.reset();
    // What was in memory is gone, stored or not: the gap of the unclean stop stands for it.
    unsure_.insert(waiting_.begin(), waiting_.end());
    waiting_.clear();
    events_.clear();
  }
  absl::Status StartAgent() {
    clock_.Advance(kNanosPerSecond);
    CORDON_ASSIGN_OR_RETURN(spool_, agent::Spool::Open(settings_, clock_));
    sender_ =
        std::make_unique<agent::TelemetrySender>(*spool_, clock_, agent::TelemetrySender::Window(), [] {});
    return absl::OkStatus();
  }
  void StopController() {
    Disconnect();
    store_.reset();
  }
  absl::Status StartController() {
    CORDON_ASSIGN_OR_RETURN(store_, controller::OpenSqliteStore(StoreFile(), clock_));
    return absl::OkStatus();
  }
  bool AgentRuns() const { return spool_ != nullptr; }
  bool ControllerRuns() const { return store_ != nullptr; }

  // -- Events. What the spool does not take is kept and given again, as the batcher does.
  void Happen(int count, size_t bytes = 20) {
    clock_.Advance(kNanosPerMilli);
    for (int i = 0; i < count; ++i) {
      waiting_.push_back(++last_pid_);
      events_.push_back(BulkyEvent(last_pid_, bytes));
      events_.back().time_unix_nanos = clock_.WallNanos() + i;
    }
    TryAppend();
  }
  bool TryAppend() {
    if (!spool_) return false;
    if (waiting_.empty()) return true;
    const absl::Status taken = spool_->Append({Group(v1::EVENT_CLASS_PROCESS, events_)});
    if (!taken.ok()) return false;
    accepted_.insert(waiting_.begin(), waiting_.end());
    waiting_.clear();
    events_.clear();
    return true;
  }
  const std::set<uint32_t>& Accepted() const { return accepted_; }

  // -- The stream
  // One batch up and its answer down; false when there is nothing to do, or something failed.
  bool Step() {
    if (!spool_ || !store_ || (!connected_ && !Connect())) return false;
    absl::StatusOr<std::optional<v1::TelemetryRequest>> next = sender_->Next();
    if (!next.ok() || !next->has_value()) {
      if (!next.ok()) Disconnect();
      return false;
    }
    const std::vector<controller::HostBatch> group = {
        {kSpoolHost, (*next)->batch(), (*next)->opens_segment()}};
    const absl::StatusOr<controller::CommitResult> result = store_->CommitBatches(group);
    if (!result.ok() || !Answer(group[0].batch.first_sequence(), result->batches.at(0)).ok()) {
      Disconnect();
      return false;
    }
    return true;
  }
  void Disconnect() {
    if (connected_ && sender_) sender_->OnStreamEnded();
    connected_ = false;
  }
  // Until all is delivered; false when it does not come to that.
  bool Drain() {
    for (int round = 0; round < 50; ++round) {
      if (!TryAppend()) continue;
      while (Step()) {
      }
      if (connected_ && spool_->Stats().acknowledged_sequence == spool_->Stats().last_sequence) {
        return spool_->Maintain().ok();
      }
      Disconnect();  // and ask for the position again
    }
    return false;
  }

  // -- The truth. Empty when the stored chains are whole, nothing is stored twice, and nothing that never
  // happened is stored.
  std::string Fault() {
    const std::vector<StoredRow> rows = StoredRows(StoreFile(), kSpoolHost);
    const std::string broken = StoredChainFault(rows, kSpoolHost, spool_->ChainId());
    if (!broken.empty()) return broken;
    for (const auto& [pid, times] : TruthOf(rows).pids) {
      if (times != 1) return StrCat("event ", pid, " is stored ", times, " times");
      if (!accepted_.contains(pid) && !unsure_.contains(pid)) return StrCat("event ", pid, " never happened");
    }
    return "";
  }
  // Events that the spool took and that are not stored.
  std::vector<uint32_t> Lost() {
    const StoredTruth truth = TruthOf(StoredRows(StoreFile(), kSpoolHost));
    std::vector<uint32_t> lost;
    std::ranges::copy_if(accepted_, std::back_inserter(lost),
                         [&](uint32_t pid) { return !truth.pids.contains(pid); });
    return lost;
  }
  std::vector<v1::Gap> Gaps(v1::Gap::Cause cause) {
    std::vector<v1::Gap> gaps = TruthOf(StoredRows(StoreFile(), kSpoolHost)).gaps;
    std::erase_if(gaps, [&](const v1::Gap& gap) { return gap.cause() != cause; });
    return gaps;
  }

 private:
  void EnrolHost() {
    controller::NewEnrollment enrollment;
    enrollment.enrollment_id = NewUuid();
    enrollment.site = "leeds";
    enrollment.expiry_unix_nanos = clock_.WallNanos() + TestFleet::kHour;
    enrollment.token = std::string(32, 't');
    enrollment.certificate = {NewUuid(), 1, 2};
    Must(store_->CreateEnrollment(enrollment, Note()));
    controller::NewHost host = StoreBox::HostNamed("reception-1");
    host.host_id = kSpoolHost;
    Must(store_->EnrollHost(enrollment.enrollment_id, enrollment.token, host));
  }

  bool Connect() {
    const absl::StatusOr<controller::ChainPosition> known = store_->PositionOf(kSpoolHost);
    if (!known.ok()) return false;
    v1::TelemetryPosition position;
    position.set_chain_id(known->chain_id);
    position.set_acknowledged_sequence(known->acknowledged_sequence);
    position.set_last_hash(known->last_hash);
    for (const controller::ChainSegment& segment : known->ahead) {
      v1::Segment& ahead = *position.add_ahead();
      ahead.set_first_sequence(segment.first_sequence);
      ahead.set_last_sequence(segment.last_sequence);
      ahead.set_last_hash(segment.last_hash);
    }
    sender_->OnStreamOpened();
    connected_ = sender_->OnPosition(position).ok();
    if (!connected_) sender_->OnStreamEnded();
    return connected_;
  }

  absl::Status Answer(uint64_t first_sequence, const controller::BatchResult& result) {
    if (result.verdict == controller::BatchResult::Verdict::kRefused) {
      v1::BatchRefused refused;
      refused.set_first_sequence(first_sequence);
      refused.set_reason(result.reason);
      return sender_->OnRefused(refused);
    }
    v1::Acknowledgement acknowledgement;
    acknowledgement.set_chain_id(result.position.chain_id);
    acknowledgement.set_first_sequence(result.stored_from);
    acknowledgement.set_last_sequence(result.stored_to);
    return sender_->OnAcknowledgement(acknowledgement);
  }

  TempFolder folder_;

 public:
  FaultDisk agent_disk;
  FaultDisk controller_disk;

 private:
  TestFleet fleet_;
  FakeClock clock_;
  agent::SpoolSettings settings_;
  std::unique_ptr<agent::Spool> spool_;
  std::unique_ptr<agent::TelemetrySender> sender_;
  std::unique_ptr<controller::Store> store_;
  bool connected_ = false;
  uint32_t last_pid_ = 0;
  std::vector<uint32_t> waiting_;
  std::vector<TimedEvent> events_;
  std::set<uint32_t> accepted_;
  std::set<uint32_t> unsure_;
};

}  // namespace cordon::testing
