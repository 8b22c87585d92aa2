#include "agent/orders/audit_witness.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/wire/audit_checkpoint.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxFileBytes = 4 * kMaxCheckpointBytes;

std::string NothingSeen(const std::filesystem::path& file, std::string_view why) {
  return StrCat(file.string(), " cannot be read (", why,
                "): what this host has seen of the audit log is lost, and it believes the next checkpoint");
}

}  // namespace

AuditWitness::AuditWitness(const std::filesystem::path& state_dir) : file_(state_dir / kAuditCheckpointFile) {
  const absl::StatusOr<std::string> bytes = platform::ReadFileBounded(file_, kMaxFileBytes);
  if (absl::IsNotFound(bytes.status())) return;
  v1::SignedCheckpoint seen;
  if (!bytes.ok()) {
    notice_ = NothingSeen(file_, Message(bytes.status()));
  } else if (!seen.ParseFromString(*bytes) || seen.checkpoint().size() > kMaxCheckpointBytes) {
    notice_ = NothingSeen(file_, "it is damaged");
  } else {
    seen_ = std::move(seen);
  }
}

absl::Status AuditWitness::Judge(const v1::AuditProof& proof, const v1::TrustBundle& bundle) {
  const std::string& log_key = bundle.audit_log_public_key();
  if (log_key.empty()) return absl::OkStatus();
  std::optional<v1::AuditCheckpoint> before;
  if (seen_.has_value()) {
    absl::StatusOr<v1::AuditCheckpoint> read = VerifyCheckpoint(*seen_, log_key, bundle.fleet_id());
    if (read.ok()) before = *std::move(read);
  }
  CORDON_ASSIGN_OR_RETURN(const v1::AuditCheckpoint shown,
                          JudgeAuditProof(proof, before, log_key, bundle.fleet_id()));
  if (before.has_value() && before->size() == shown.size()) return absl::OkStatus();
  seen_ = proof.checkpoint();
  saved_ = false;
  return absl::OkStatus();
}

absl::Status AuditWitness::Save() {
  if (saved_) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(file_, seen_->SerializeAsString(), platform::FileAccess::kOwnerOnly));
  saved_ = true;
  return absl::OkStatus();
}

}  // namespace cordon::agent
