// What a controller shows of its audit log beside orders (AUT-3, AUT-6): a captured one signs what it likes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/orders/audit_witness.h"
#include "common/base/strings.h"
#include "common/crypto/ed25519.h"
#include "common/wire/audit_checkpoint.h"
#include "common/wire/merkle.h"

namespace {

using cordon::v1::AuditCheckpoint;
using cordon::v1::AuditProof;

constexpr uint64_t kSeen = 5;
constexpr uint64_t kEntries = 64;

// A log that is true, and the key that signs for it.
struct Log {
  Log() {
    bundle.set_fleet_id("6f1c2f8e-52a4-4c2f-9d58-0a1a3f5b7c9d");
    bundle.set_audit_log_public_key(*cordon::RawPublicKey(*key));
    for (uint64_t i = 0; i < kEntries; ++i) {
      const auto added = cordon::MerkleAppend(i, cordon::StrCat("entry ", i + 1), Reader());
      for (const cordon::MerkleNode& node : *added) {
        nodes[{node.place.level, node.place.index}] = node.hash;
      }
    }
  }
  cordon::MerkleReader Reader() const {
    return [this](const cordon::MerklePlace& place) -> absl::StatusOr<std::string> {
      return nodes.at({place.level, place.index});
    };
  }
  cordon::v1::SignedCheckpoint Sign(AuditCheckpoint checkpoint) const {
    return *cordon::SignCheckpoint(checkpoint, *key);
  }
  AuditProof First() const {
    AuditCheckpoint checkpoint;
    checkpoint.set_fleet_id(bundle.fleet_id());
    checkpoint.set_size(kSeen);
    checkpoint.set_root_sha256(*cordon::MerkleRoot(kSeen, Reader()));
    AuditProof proof;
    *proof.mutable_checkpoint() = Sign(checkpoint);
    return proof;
  }
  // This is how the log goes on from what was seen.
  bool IsTrue(const AuditCheckpoint& shown, const AuditProof& proof) const {
    if (shown.size() < kSeen || shown.size() > kEntries) return false;
    if (shown.root_sha256() != *cordon::MerkleRoot(shown.size(), Reader())) return false;
    if (shown.size() == kSeen) return true;
    const std::vector<std::string> hashes(proof.consistency().begin(), proof.consistency().end());
    return proof.from_size() == kSeen && hashes == *cordon::MerkleConsistency(kSeen, shown.size(), Reader());
  }

  cordon::KeyPtr key = *cordon::NewSigningKey();
  cordon::v1::TrustBundle bundle;
  std::map<std::pair<uint32_t, uint64_t>, std::string> nodes;
};

// A host that has seen kSeen entries, and a controller that signs whatever comes.
void Judge(AuditProof proof, const Log& log) {
  cordon::agent::AuditWitness witness("/nonexistent");
  if (!witness.Judge(log.First(), log.bundle).ok()) std::abort();
  const std::string before = witness.Seen()->SerializeAsString();
  // As it came nobody signed it.
  if (witness.Judge(proof, log.bundle).ok()) std::abort();
  if (cordon::VerifyCheckpoint(proof.checkpoint(), log.bundle.audit_log_public_key(), log.bundle.fleet_id())
          .ok()) {
    std::abort();
  }
  AuditCheckpoint shown;
  if (!shown.ParseFromString(proof.checkpoint().checkpoint())) return;
  *proof.mutable_checkpoint() = log.Sign(shown);
  const bool accepted = witness.Judge(proof, log.bundle).ok();
  if (log.IsTrue(shown, proof) && shown.fleet_id() == log.bundle.fleet_id() &&
      proof.checkpoint().checkpoint().size() <= cordon::kMaxCheckpointBytes && !accepted) {
    std::abort();
  }
  if (!accepted) {
    if (witness.Seen()->SerializeAsString() != before) std::abort();
    return;
  }
  // No rollback, no fork of the same size, no other fleet; and no proof but the true one leads to the true
  // log.
  if (shown.size() < kSeen || shown.fleet_id() != log.bundle.fleet_id()) std::abort();
  const bool true_root =
      shown.size() <= kEntries && shown.root_sha256() == *cordon::MerkleRoot(shown.size(), log.Reader());
  if (shown.size() == kSeen && !true_root) std::abort();
  if (true_root && !log.IsTrue(shown, proof)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Log log;
  const std::string input(reinterpret_cast<const char*>(data), size);
  cordon::v1::SignedCheckpoint checkpoint;
  if (checkpoint.ParseFromString(input) &&
      cordon::VerifyCheckpoint(checkpoint, log.bundle.audit_log_public_key(), log.bundle.fleet_id()).ok()) {
    std::abort();
  }
  if (AuditProof proof; proof.ParseFromString(input)) Judge(std::move(proof), log);
  return 0;
}
