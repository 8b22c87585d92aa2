#pragma once

// The audit log's hash chain. An entry's hash is SHA-256 over
//   "cordon-audit-v1\0" || be64(index) || be64(time_unix_nanos) || previous_hash
//   || be32(len) actor || be32(len) action || be32(len) subject || be32(len) detail
// and the next entry names it. The first has index 1 and names 32 zero bytes. What a chain cannot show by
// itself is that its end was cut off: whoever checks keeps the last index and hash from the check before.

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <string>

#include "cordon/v1/operator.pb.h"

namespace cordon {

std::string AuditHash(const v1::AuditEntry& entry);

// Checks entry after entry, so that a long log needs no memory. Not thread-safe.
class AuditChainCheck {
 public:
  // From the start of the log.
  AuditChainCheck();
  // From behind an entry that is known to be good.
  AuditChainCheck(uint64_t index, std::string hash) : index_(index), hash_(std::move(hash)) {}

  // DATA_LOSS names the first bad entry and what is wrong with it; the object is then of no more use.
  absl::Status Next(const v1::AuditEntry& entry);

  // The last good one.
  uint64_t Index() const { return index_; }
  const std::string& Hash() const { return hash_; }

 private:
  uint64_t index_;
  std::string hash_;
};

// A whole log at once, as tests have it; cordonctl takes entry by entry.
absl::Status VerifyAudit(std::span<const v1::AuditEntry> entries);

}  // namespace cordon
