#include "controller/server/audit_prover.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/audit_checkpoint.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxRemembered = 1'024;

}  // namespace

absl::StatusOr<uint64_t> AuditProver::SizeSeen(const v1::SignedCheckpoint& seen) {
  const absl::StatusOr<v1::AuditCheckpoint> read =
      VerifyCheckpoint(seen, pki_.AuditLogPublicKey(), pki_.FleetId());
  if (!read.ok()) return 0;
  const absl::StatusOr<std::string> root = store_.AuditRoot(read->size());
  if (!root.ok() && !absl::IsOutOfRange(root.status())) return root.status();
  if (root.ok() && *root == read->root_sha256()) return read->size();
  whole_ = false;
  return absl::DataLossError(StrCat("a host has seen the audit log with ", read->size(), " entries at ",
                                    FormatTime(read->time_unix_nanos()),
                                    root.ok()
                                        ? ", and this log is another one from before there"
                                        : ", and this log is shorter: the store was set back to an old copy",
                                    "; hosts refuse orders beside it (docs/security.md, AUT-3)"));
}

absl::StatusOr<v1::SignedCheckpoint> AuditProver::CheckpointAt(uint64_t size, const std::string& root) const {
  v1::AuditCheckpoint checkpoint;
  checkpoint.set_fleet_id(pki_.FleetId());
  checkpoint.set_size(size);
  checkpoint.set_root_sha256(root);
  checkpoint.set_time_unix_nanos(clock_.WallNanos());
  return SignCheckpoint(checkpoint, pki_.AuditLogKey());
}

absl::StatusOr<AuditProver::Shown*> AuditProver::ShownBeside(
    const std::shared_ptr<const ControlMessage>& order, uint64_t seen_size) {
  const auto known = std::ranges::find(shown_, order, &Shown::order);
  // A host that has heard of a later order by now needs a later state than this order's.
  if (known != shown_.end() && seen_size <= known->size) {
    shown_.splice(shown_.begin(), shown_, known);
    return &shown_.front();
  }
  if (known != shown_.end()) shown_.erase(known);
  CORDON_ASSIGN_OR_RETURN(const AuditHead head, store_.GetAuditHead());
  Shown shown{.order = order, .size = head.size, .checkpoint = {}, .by_seen_size = {}};
  CORDON_ASSIGN_OR_RETURN(shown.checkpoint, CheckpointAt(head.size, head.root));
  shown_.push_front(std::move(shown));
  if (shown_.size() > kMaxOrders) shown_.pop_back();
  return &shown_.front();
}

absl::StatusOr<v1::AuditProof> AuditProver::ProofBeside(const std::shared_ptr<const ControlMessage>& order,
                                                        uint64_t seen_size) {
  const std::lock_guard lock(mutex_);
  CORDON_ASSIGN_OR_RETURN(Shown* const shown, ShownBeside(order, seen_size));
  if (const auto known = shown->by_seen_size.find(seen_size); known != shown->by_seen_size.end())
    return known->second;
  v1::AuditProof proof;
  *proof.mutable_checkpoint() = shown->checkpoint;
  proof.set_from_size(seen_size);
  CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> hashes,
                          store_.AuditConsistency(seen_size, shown->size));
  for (const std::string& hash : hashes) proof.add_consistency(hash);
  if (shown->by_seen_size.size() >= kMaxRemembered) shown->by_seen_size.clear();
  return shown->by_seen_size.emplace(seen_size, std::move(proof)).first->second;
}

}  // namespace cordon::controller
