#pragma once

// An audit log, read once from its first entry: is it whole, and is its end what the controller signed? Pure.

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/wire/audit_chain.h"
#include "common/wire/merkle.h"
#include "controller/cordonctl/audit_file.h"

namespace cordon::ctl {

// What the signature under the end of a log is worth.
enum class AuditSignature {
  kNone,      // the log came without a signed end: that its end was cut off cannot be told
  kUnpinned,  // good, by a trust bundle that is not the one of the operator's identity
  kGood,
};

class AuditCheck {
 public:
  // `pinned_sha256`: of the trust bundle that the operator's identity pins; empty when there is no identity.
  AuditCheck(std::string fleet_id, std::string pinned_sha256)
      : fleet_id_(std::move(fleet_id)), pinned_sha256_(std::move(pinned_sha256)) {}

  // DATA_LOSS names the first bad entry. An entry behind the end is bad too.
  absl::Status Next(const v1::AuditEntry& entry);
  // DATA_LOSS: the entries are not those that were signed; PERMISSION_DENIED: it is not signed as it should
  // be.
  absl::Status End(const AuditEnd& end);

  uint64_t Entries() const { return chain_.Index(); }
  const std::string& LastHash() const { return chain_.Hash(); }
  std::string Root() const { return tree_.Root(); }
  AuditSignature Signature() const { return signature_; }

 private:
  std::string fleet_id_;
  std::string pinned_sha256_;
  AuditChainCheck chain_;
  MerkleWalk tree_;
  AuditSignature signature_ = AuditSignature::kNone;
};

}  // namespace cordon::ctl
