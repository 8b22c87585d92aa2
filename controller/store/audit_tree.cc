#include "controller/store/audit_tree.h"

#include <utility>
#include <vector>

#include "common/base/status.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

absl::StatusOr<uint64_t> EntriesOfLog(Database& database) {
  CORDON_ASSIGN_OR_RETURN(Statement last, database.Prepare("SELECT max(entry_index) FROM audit"));
  CORDON_RETURN_IF_ERROR(last.Step().status());
  return last.Unsigned(0);
}

absl::Status AddMissing(Database& database, AuditTree& tree, uint64_t known) {
  CORDON_ASSIGN_OR_RETURN(
      Statement missing,
      database.Prepare("SELECT entry_index, hash FROM audit WHERE entry_index > ? ORDER BY entry_index"));
  missing.BindUnsigned(1, known);
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, missing.Step());
    if (!row) return absl::OkStatus();
    if (missing.Unsigned(0) != known + 1) {
      return absl::DataLossError(StrCat("entry ", known + 1, " of the audit log is missing"));
    }
    CORDON_RETURN_IF_ERROR(tree.Add(known++, missing.Bytes(1)));
  }
}

}  // namespace

absl::StatusOr<AuditTree> AuditTree::Of(Database& database) {
  CORDON_ASSIGN_OR_RETURN(Statement read,
                          database.Prepare("SELECT hash FROM audit_tree WHERE level = ? AND node = ?"));
  return AuditTree(database, std::move(read));
}

absl::Status AuditTree::Add(uint64_t index, std::string_view entry_hash) {
  CORDON_ASSIGN_OR_RETURN(const std::vector<MerkleNode> nodes, MerkleAppend(index, entry_hash, Reader()));
  CORDON_ASSIGN_OR_RETURN(Statement insert, database_->Prepare("INSERT INTO audit_tree VALUES(?, ?, ?)"));
  for (const MerkleNode& node : nodes) {
    CORDON_RETURN_IF_ERROR(insert.BindUnsigned(1, node.place.level)
                               .BindUnsigned(2, node.place.index)
                               .BindBlob(3, node.hash)
                               .Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> AuditTree::Size() {
  CORDON_ASSIGN_OR_RETURN(
      Statement last,
      database_->Prepare("SELECT node FROM audit_tree WHERE level = 0 ORDER BY node DESC LIMIT 1"));
  CORDON_ASSIGN_OR_RETURN(const bool found, last.Step());
  return found ? last.Unsigned(0) + 1 : 0;
}

MerkleReader AuditTree::Reader() {
  return [this](const MerklePlace& place) -> absl::StatusOr<std::string> {
    CORDON_ASSIGN_OR_RETURN(const bool found,
                            read_.BindUnsigned(1, place.level).BindUnsigned(2, place.index).Step());
    std::string hash(found ? read_.Bytes(0) : std::string_view());
    read_.Reset();
    if (found) return hash;
    return absl::DataLossError(
        StrCat("the tree of the audit log lacks its node ", place.level, "/", place.index));
  };
}

absl::Status CompleteAuditTree(Database& database) {
  CORDON_ASSIGN_OR_RETURN(AuditTree tree, AuditTree::Of(database));
  CORDON_ASSIGN_OR_RETURN(const uint64_t known, tree.Size());
  CORDON_ASSIGN_OR_RETURN(const uint64_t entries, EntriesOfLog(database));
  if (known > entries) {
    return absl::DataLossError(
        StrCat("the audit log was cut: it has ", entries, " entries, and its tree is of ", known));
  }
  return AddMissing(database, tree, known);
}

absl::StatusOr<AuditHead> SqliteStore::GetAuditHead() {
  AuditHead head;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(AuditTree tree, AuditTree::Of(database));
    CORDON_ASSIGN_OR_RETURN(head.size, tree.Size());
    CORDON_ASSIGN_OR_RETURN(head.root, MerkleRoot(head.size, tree.Reader()));
    return absl::OkStatus();
  }));
  return head;
}

absl::StatusOr<std::string> SqliteStore::AuditRoot(uint64_t size) {
  std::string root;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(AuditTree tree, AuditTree::Of(database));
    CORDON_ASSIGN_OR_RETURN(const uint64_t known, tree.Size());
    if (size > known) {
      return absl::OutOfRangeError(StrCat("the audit log has ", known, " entries, not ", size));
    }
    CORDON_ASSIGN_OR_RETURN(root, MerkleRoot(size, tree.Reader()));
    return absl::OkStatus();
  }));
  return root;
}

absl::StatusOr<std::vector<std::string>> SqliteStore::AuditConsistency(uint64_t first, uint64_t size) {
  std::vector<std::string> proof;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(AuditTree tree, AuditTree::Of(database));
    CORDON_ASSIGN_OR_RETURN(const uint64_t known, tree.Size());
    if (size > known) {
      return absl::OutOfRangeError(StrCat("the audit log has ", known, " entries, not ", size));
    }
    CORDON_ASSIGN_OR_RETURN(proof, MerkleConsistency(first, size, tree.Reader()));
    return absl::OkStatus();
  }));
  return proof;
}

}  // namespace cordon::controller
