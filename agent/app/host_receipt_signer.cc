#include "agent/app/host_receipt_signer.h"

#include "agent/link/host_state.h"
#include "common/base/status.h"
#include "common/wire/receipt.h"
#include "common/wire/scan_report.h"

namespace cordon::agent {

absl::Status HostReceiptSigner::Use(const std::string& key_pem) {
  CORDON_ASSIGN_OR_RETURN(key_, PrivateKeyFromPem(key_pem));
  return absl::OkStatus();
}

absl::Status HostReceiptSigner::Reload(const std::filesystem::path& state_dir) {
  CORDON_ASSIGN_OR_RETURN(const HostState state, LoadHostState(state_dir));
  return Use(state.credentials.key_pem);
}

absl::Status HostReceiptSigner::Sign(v1::Receipt* receipt) {
  if (key_ == nullptr) return absl::FailedPreconditionError("there is no host key to sign receipts with");
  return SignReceipt(*key_, host_id_, receipt);
}

absl::Status HostReceiptSigner::Sign(v1::ScanProgress* progress) {
  if (key_ == nullptr) return absl::FailedPreconditionError("there is no host key to sign reports with");
  return SignScanReport(*key_, progress);
}

}  // namespace cordon::agent
