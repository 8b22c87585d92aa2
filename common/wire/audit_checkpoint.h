#pragma once

// Signed states of the audit log, and what a host makes of them: hosts are the log's witnesses (design.md
// §8). Pure.

#include <absl/status/statusor.h>

#include <optional>
#include <string_view>

#include "common/crypto/key.h"
#include "cordon/v1/audit.pb.h"

namespace cordon {

inline constexpr std::string_view kAuditCheckpointDomain = "cordon-audit-checkpoint-v1";
inline constexpr size_t kMaxCheckpointBytes = 1'024;

absl::StatusOr<v1::SignedCheckpoint> SignCheckpoint(const v1::AuditCheckpoint& checkpoint, EVP_PKEY& key);

// The checkpoint inside. PERMISSION_DENIED, with the reason: too large, of another fleet, without a size or a
// root, or not signed by `public_key`.
absl::StatusOr<v1::AuditCheckpoint> VerifyCheckpoint(const v1::SignedCheckpoint& signed_checkpoint,
                                                     std::string_view public_key, std::string_view fleet_id);

// The checkpoint of `proof` when it goes on from `seen`, what was seen of the log before (nothing: the first
// one is believed). Each refusal has its own sentence:
//   NOT_FOUND          there is no checkpoint
//   PERMISSION_DENIED  it is not signed by the log's key
//   OUT_OF_RANGE       rolled back: it has fewer entries than were seen
//   DATA_LOSS          forked: it does not go on from what was seen, or does not show that it does
absl::StatusOr<v1::AuditCheckpoint> JudgeAuditProof(const v1::AuditProof& proof,
                                                    const std::optional<v1::AuditCheckpoint>& seen,
                                                    std::string_view public_key, std::string_view fleet_id);

}  // namespace cordon
