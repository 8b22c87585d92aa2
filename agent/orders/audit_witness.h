#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <optional>
#include <string>

#include "cordon/v1/audit.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

inline constexpr const char* kAuditCheckpointFile = "audit-checkpoint.pb";

// What this host has seen of the controller's audit log. Every host is a witness of the log (AUT-3): a
// controller that shows it another past than before is found out. Not thread-safe: the agent loop's.
class AuditWitness {
 public:
  // Reads what was seen before this start. What cannot be read is as if nothing had been seen, and Notice()
  // says so.
  explicit AuditWitness(const std::filesystem::path& state_dir);

  // The newest checkpoint, for Hello; nothing before the first.
  const std::optional<v1::SignedCheckpoint>& Seen() const { return seen_; }
  // For the log of the agent's start; empty when all is well.
  const std::string& Notice() const { return notice_; }

  // Judges what the controller says of its log by the key that `bundle`, the one in force, names for it, and
  // remembers what is good. OK too when the bundle names no log. Another key than before is another log, and
  // begins anew. Errors are those of JudgeAuditProof; nothing is remembered then.
  absl::Status Judge(const v1::AuditProof& proof, const v1::TrustBundle& bundle);

  // Puts what was remembered on disk, where nothing is to be done when it is there. Apart from Judge, so that
  // the effect of an order need not wait for it: what a crash loses is one step of the log, which the next
  // proof makes again.
  absl::Status Save();

 private:
  std::filesystem::path file_;
  std::optional<v1::SignedCheckpoint> seen_;
  bool saved_ = true;
  std::string notice_;
};

}  // namespace cordon::agent
