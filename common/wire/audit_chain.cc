#include "common/wire/audit_chain.h"

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"

namespace cordon {
namespace {

absl::Status Bad(const v1::AuditEntry& entry, std::string_view what) {
  return absl::DataLossError(StrCat("audit entry ", entry.index(), " (", FormatTime(entry.time_unix_nanos()),
                                    ", ", Printable(entry.action()), "): ", what));
}

}  // namespace

std::string AuditHash(const v1::AuditEntry& entry) {
  Sha256Stream stream;
  stream.Update(std::string_view("cordon-audit-v1\0", 16));
  stream.UpdateU64(entry.index());
  stream.UpdateU64(static_cast<uint64_t>(entry.time_unix_nanos()));
  stream.Update(entry.previous_hash());
  for (const std::string* text : {&entry.actor(), &entry.action(), &entry.subject(), &entry.detail()}) {
    stream.UpdateU32(static_cast<uint32_t>(text->size()));
    stream.Update(*text);
  }
  return stream.Finish();
}

AuditChainCheck::AuditChainCheck() : index_(0), hash_(kSha256Bytes, '\0') {}

absl::Status AuditChainCheck::Next(const v1::AuditEntry& entry) {
  if (entry.index() != index_ + 1) {
    return Bad(entry, StrCat("it follows entry ", index_, ": entries are missing or out of order"));
  }
  if (entry.previous_hash() != hash_)
    return Bad(entry, "it does not name the entry before it: one of them was altered");
  if (entry.hash() != AuditHash(entry))
    return Bad(entry, "it was altered: its hash does not fit its content");
  index_ = entry.index();
  hash_ = entry.hash();
  return absl::OkStatus();
}

absl::Status VerifyAudit(std::span<const v1::AuditEntry> entries) {
  AuditChainCheck check;
  for (const v1::AuditEntry& entry : entries) CORDON_RETURN_IF_ERROR(check.Next(entry));
  return absl::OkStatus();
}

}  // namespace cordon
