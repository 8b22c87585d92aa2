#pragma once

// An audit log of a test, which can be forked and rolled back: what a captured controller has in its hands.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/wire/audit_checkpoint.h"
#include "common/wire/merkle.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

class AuditLog {
 public:
  explicit AuditLog(std::string fleet_id) : AuditLog(std::move(fleet_id), Must(NewSigningKey())) {}

  // `entries` more.
  void Grow(int entries) {
    for (int i = 0; i < entries; ++i) hashes_.push_back(Sha256(StrCat("entry ", hashes_.size())));
  }
  // The same key, and another story from the entry `index` (0 = the first) on, as long as this one.
  AuditLog ForkAt(size_t index) const {
    AuditLog fork(fleet_id_, Must(PrivateKeyFromPem(Must(PrivateKeyToPem(*key_)))));
    fork.hashes_ = hashes_;
    for (size_t i = index; i < fork.hashes_.size(); ++i)
      fork.hashes_[i] = Sha256(StrCat("another entry ", i));
    return fork;
  }

  EVP_PKEY& Key() const { return *key_; }
  std::string PublicKey() const { return Must(RawPublicKey(*key_)); }
  uint64_t Size() const { return hashes_.size(); }
  std::string Root(uint64_t size) const { return RangeRoot(0, size); }

  v1::SignedCheckpoint Sign(const v1::AuditCheckpoint& checkpoint) const {
    return Must(SignCheckpoint(checkpoint, *key_));
  }
  v1::SignedCheckpoint Checkpoint(uint64_t size) const {
    v1::AuditCheckpoint checkpoint;
    checkpoint.set_fleet_id(fleet_id_);
    checkpoint.set_size(size);
    checkpoint.set_root_sha256(Root(size));
    checkpoint.set_time_unix_nanos(WallNowNanos());
    return Sign(checkpoint);
  }
  v1::AuditProof Proof(uint64_t from, uint64_t size) const {
    v1::AuditProof proof;
    *proof.mutable_checkpoint() = Checkpoint(size);
    proof.set_from_size(from);
    const auto whole = [this](const MerklePlace& place) -> absl::StatusOr<std::string> {
      return RangeRoot(place.index << place.level, (place.index + 1) << place.level);
    };
    for (std::string& hash : Must(MerkleConsistency(from, size, whole)))
      *proof.add_consistency() = std::move(hash);
    return proof;
  }
  // Of the whole log.
  v1::AuditProof ProofFrom(uint64_t from) const { return Proof(from, Size()); }

 private:
  AuditLog(std::string fleet_id, KeyPtr key) : fleet_id_(std::move(fleet_id)), key_(std::move(key)) {}

  std::string RangeRoot(uint64_t from, uint64_t to) const {
    MerkleWalk walk;
    for (uint64_t i = from; i < to; ++i) walk.Add(hashes_[i]);
    return walk.Root();
  }

  std::string fleet_id_;
  KeyPtr key_;
  std::vector<std::string> hashes_;  // of the entries
};

}  // namespace cordon::testing
