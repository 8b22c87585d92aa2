#pragma once

// The audit log's Merkle tree in the store. Private to this folder.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/sqlite/database.h"
#include "common/wire/merkle.h"

namespace cordon::controller {

// The tree of `database`, with its statements prepared; for one transaction or one read.
class AuditTree {
 public:
  static absl::StatusOr<AuditTree> Of(Database& database);

  // Adds the entry of this hash, the `index`th (0 = the first).
  absl::Status Add(uint64_t index, std::string_view entry_hash);
  // How many entries it is of.
  absl::StatusOr<uint64_t> Size();
  MerkleReader Reader();

 private:
  explicit AuditTree(Database& database, Statement read) : database_(&database), read_(std::move(read)) {}

  Database* database_;
  Statement read_;
};

}  // namespace cordon::controller
