#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "common/base/clock.h"
#include "controller/pki/pki.h"
#include "controller/server/control_message.h"
#include "controller/store/store.h"
#include "cordon/v1/audit.pb.h"

namespace cordon::controller {

// Shows hosts, which are the audit log's witnesses, that the log goes on from what they have seen (AUT-3).
// Thread-safe; waits for the store.
class AuditProver {
 public:
  AuditProver(Store& store, const Pki& pki, const Clock& clock) : store_(store), pki_(pki), clock_(clock) {}

  // How much of this log a host has seen, by what it says in Hello: 0 when nothing, or only a log with
  // another key. DATA_LOSS: this log does not go on from there, so it was set back or forked; Whole() is
  // false from then on.
  absl::StatusOr<uint64_t> SizeSeen(const v1::SignedCheckpoint& seen);

  // What goes beside `order` to a host that saw the first `seen_size` entries: the log as it is when the
  // order is first asked about, so that its own submission is in it, and the same for every host that it goes
  // to.
  absl::StatusOr<v1::AuditProof> ProofBeside(const std::shared_ptr<const ControlMessage>& order,
                                             uint64_t seen_size);

  // The signed state of the log's first `size` entries.
  absl::StatusOr<v1::SignedCheckpoint> CheckpointAt(uint64_t size, const std::string& root) const;

  bool Whole() const { return whole_; }

 private:
  // An order and the state of the log beside it.
  struct Shown {
    std::shared_ptr<const ControlMessage> order;
    uint64_t size = 0;
    v1::SignedCheckpoint checkpoint;
    std::map<uint64_t, v1::AuditProof> by_seen_size;  // most hosts have seen the same
  };
  // Hosts that come back have some orders waiting for them, the same ones for most.
  static constexpr size_t kMaxOrders = 8;

  absl::StatusOr<Shown*> ShownBeside(const std::shared_ptr<const ControlMessage>& order, uint64_t seen_size);

  Store& store_;
  const Pki& pki_;
  const Clock& clock_;
  std::atomic<bool> whole_ = true;

  std::mutex mutex_;
  std::list<Shown> shown_;  // guarded by mutex_; the one that was asked about last is first
};

}  // namespace cordon::controller
