#include "common/wire/audit_checkpoint.h"

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/wire/merkle.h"

namespace cordon {
namespace {

absl::Status Bad(std::string_view why) {
  return absl::PermissionDeniedError(StrCat("the audit log's checkpoint is not good: ", why));
}

std::string Describe(const v1::AuditCheckpoint& checkpoint) {
  return StrCat(checkpoint.size(), " entries, of ", FormatTime(checkpoint.time_unix_nanos()));
}

absl::Status CheckGoesOn(const v1::AuditProof& proof, const v1::AuditCheckpoint& seen,
                         const v1::AuditCheckpoint& shown) {
  const std::string both = StrCat("(seen: ", Describe(seen), "; shown: ", Describe(shown), ")");
  if (shown.size() < seen.size()) {
    return absl::OutOfRangeError(StrCat("the controller's audit log was rolled back ", both));
  }
  const std::vector<std::string> hashes(proof.consistency().begin(), proof.consistency().end());
  if (shown.size() == seen.size()) {
    if (shown.root_sha256() == seen.root_sha256()) return absl::OkStatus();
    return absl::DataLossError(
        StrCat("the controller's audit log was forked ", both, ": the same size has another root"));
  }
  if (proof.from_size() != seen.size()) {
    return absl::DataLossError(
        StrCat("the controller does not show that its audit log goes on from what was seen ", both,
               ": its proof is from entry ", proof.from_size()));
  }
  const absl::Status consistent =
      VerifyMerkleConsistency(seen.size(), seen.root_sha256(), shown.size(), shown.root_sha256(), hashes);
  if (consistent.ok()) return absl::OkStatus();
  return absl::DataLossError(
      StrCat("the controller's audit log was forked ", both, ": ", Message(consistent)));
}

}  // namespace

absl::StatusOr<v1::SignedCheckpoint> SignCheckpoint(const v1::AuditCheckpoint& checkpoint, EVP_PKEY& key) {
  v1::SignedCheckpoint signed_checkpoint;
  signed_checkpoint.set_checkpoint(checkpoint.SerializeAsString());
  CORDON_ASSIGN_OR_RETURN(*signed_checkpoint.mutable_ed25519(),
                          Sign(kAuditCheckpointDomain, signed_checkpoint.checkpoint(), key));
  return signed_checkpoint;
}

absl::StatusOr<v1::AuditCheckpoint> VerifyCheckpoint(const v1::SignedCheckpoint& signed_checkpoint,
                                                     std::string_view public_key, std::string_view fleet_id) {
  if (signed_checkpoint.checkpoint().size() > kMaxCheckpointBytes) return Bad("it is too large");  // AUT-6
  if (!Verify(kAuditCheckpointDomain, signed_checkpoint.checkpoint(), signed_checkpoint.ed25519(),
              public_key)) {
    return Bad("it is not signed by the key that the trust bundle names for the log");
  }
  v1::AuditCheckpoint checkpoint;
  if (!checkpoint.ParseFromString(signed_checkpoint.checkpoint())) return Bad("it cannot be read");
  if (checkpoint.fleet_id() != fleet_id) return Bad("it is another fleet's");
  if (checkpoint.size() == 0 || checkpoint.size() > kMaxMerkleSize) return Bad("its size is out of bounds");
  if (checkpoint.root_sha256().size() != kSha256Bytes) return Bad("its root is not 32 bytes long");
  return checkpoint;
}

absl::StatusOr<v1::AuditCheckpoint> JudgeAuditProof(const v1::AuditProof& proof,
                                                    const std::optional<v1::AuditCheckpoint>& seen,
                                                    std::string_view public_key, std::string_view fleet_id) {
  if (!proof.has_checkpoint()) {
    return absl::NotFoundError("the controller did not say where its audit log stands");
  }
  CORDON_ASSIGN_OR_RETURN(v1::AuditCheckpoint shown,
                          VerifyCheckpoint(proof.checkpoint(), public_key, fleet_id));
  if (seen.has_value()) CORDON_RETURN_IF_ERROR(CheckGoesOn(proof, *seen, shown));
  return shown;
}

}  // namespace cordon
