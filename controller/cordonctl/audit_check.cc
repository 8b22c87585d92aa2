#include "controller/cordonctl/audit_check.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "common/wire/audit_checkpoint.h"
#include "common/wire/trust_bundle.h"

namespace cordon::ctl {

absl::Status AuditCheck::Next(const v1::AuditEntry& entry) {
  if (signature_ != AuditSignature::kNone) {
    return absl::DataLossError(StrCat("entry ", entry.index(), " stands behind the signed end of the log"));
  }
  CORDON_RETURN_IF_ERROR(chain_.Next(entry));
  tree_.Add(entry.hash());
  return absl::OkStatus();
}

absl::Status AuditCheck::End(const AuditEnd& end) {
  v1::SignedTrustBundle signed_bundle;
  signed_bundle.set_bundle(end.trust_bundle);
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, ParseTrustBundle(signed_bundle));
  if (bundle.audit_log_public_key().empty())
    return absl::OkStatus();  // of a fleet from before logs were signed
  const std::string& fleet_id = fleet_id_.empty() ? bundle.fleet_id() : fleet_id_;
  CORDON_ASSIGN_OR_RETURN(const v1::AuditCheckpoint signed_end,
                          VerifyCheckpoint(end.checkpoint, bundle.audit_log_public_key(), fleet_id));
  if (signed_end.size() != Entries()) {
    return absl::DataLossError(StrCat("the controller signed a log of ", signed_end.size(), " entries, and ",
                                      Entries(), " are here: the end was cut off or added to"));
  }
  if (signed_end.root_sha256() != Root()) {
    return absl::DataLossError(
        StrCat("the ", Entries(), " entries are not those that the controller signed"));
  }
  const bool pinned = Sha256(end.trust_bundle) == pinned_sha256_;
  signature_ = pinned ? AuditSignature::kGood : AuditSignature::kUnpinned;
  return absl::OkStatus();
}

}  // namespace cordon::ctl
