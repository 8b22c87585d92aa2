#include "common/base/status.h"
#include "common/wire/audit_chain.h"
#include "controller/store/audit_tree.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

constexpr int kPage = 500;
// Of each text of an entry: an exported line of four of them, escaped, is within what cordonctl reads.
constexpr size_t kMaxTextBytes = 8 * 1024;
constexpr std::string_view kCutMark = " [cut]";

// Says that it was cut; never in the middle of a character.
std::string Bounded(const std::string& text) {
  if (text.size() <= kMaxTextBytes) return text;
  size_t end = kMaxTextBytes - kCutMark.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return StrCat(text.substr(0, end), kCutMark);
}

v1::AuditEntry EntryFrom(const Statement& row) {
  v1::AuditEntry entry;
  entry.set_index(row.Unsigned(0));
  entry.set_time_unix_nanos(row.Int(1));
  entry.set_actor(std::string(row.Bytes(2)));
  entry.set_action(std::string(row.Bytes(3)));
  entry.set_subject(std::string(row.Bytes(4)));
  entry.set_detail(std::string(row.Bytes(5)));
  entry.set_previous_hash(std::string(row.Bytes(6)));
  entry.set_hash(std::string(row.Bytes(7)));
  return entry;
}

// The end of the log: index 0 and zeroes while it is empty.
absl::StatusOr<AuditChainCheck> EndOfLog(Database& database) {
  CORDON_ASSIGN_OR_RETURN(
      Statement last,
      database.Prepare("SELECT entry_index, hash FROM audit ORDER BY entry_index DESC LIMIT 1"));
  CORDON_ASSIGN_OR_RETURN(const bool found, last.Step());
  if (!found) return AuditChainCheck();
  return AuditChainCheck(last.Unsigned(0), std::string(last.Bytes(1)));
}

}  // namespace

absl::Status AppendAuditEntry(Database& database, int64_t now, const AuditNote& note) {
  CORDON_ASSIGN_OR_RETURN(const AuditChainCheck end, EndOfLog(database));
  v1::AuditEntry entry;
  entry.set_index(end.Index() + 1);
  entry.set_time_unix_nanos(now);
  entry.set_actor(Bounded(note.actor));
  entry.set_action(Bounded(note.action));
  entry.set_subject(Bounded(note.subject));
  entry.set_detail(Bounded(note.detail));
  entry.set_previous_hash(end.Hash());
  entry.set_hash(AuditHash(entry));
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database.Prepare("INSERT INTO audit VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
  CORDON_RETURN_IF_ERROR(insert.BindUnsigned(1, entry.index())
                             .Bind(2, now)
                             .BindText(3, entry.actor())
                             .BindText(4, entry.action())
                             .BindText(5, entry.subject())
                             .BindText(6, entry.detail())
                             .BindBlob(7, entry.previous_hash())
                             .BindBlob(8, entry.hash())
                             .Run());
  CORDON_ASSIGN_OR_RETURN(AuditTree tree, AuditTree::Of(database));
  return tree.Add(end.Index(), entry.hash());
}

absl::Status SqliteStore::AppendAudit(const AuditNote& note) {
  return Write([&](Database& database) { return AppendAuditEntry(database, clock_.WallNanos(), note); });
}

absl::Status SqliteStore::ReadAudit(uint64_t from_index,
                                    const std::function<bool(v1::AuditEntry&& entry)>& callback) {
  std::vector<v1::AuditEntry> page;
  do {
    page.clear();
    CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
      CORDON_ASSIGN_OR_RETURN(
          Statement query,
          database.Prepare("SELECT entry_index, time, actor, action, subject, detail, previous_hash, hash "
                           "FROM audit WHERE entry_index >= ? ORDER BY entry_index LIMIT ?"));
      query.BindUnsigned(1, from_index).Bind(2, kPage);
      while (true) {
        CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
        if (!row) return absl::OkStatus();
        page.push_back(EntryFrom(query));
      }
    }));
    for (v1::AuditEntry& entry : page) {
      from_index = entry.index() + 1;
      if (!callback(std::move(entry))) return absl::OkStatus();
    }
  } while (!page.empty());
  return absl::OkStatus();
}

}  // namespace cordon::controller
