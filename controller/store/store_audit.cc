#include <charconv>
#include <limits>
#include <system_error>

#include "common/base/status.h"
#include "common/wire/audit_chain.h"
#include "controller/store/audit_tree.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

constexpr int kPage = 500;
constexpr uint32_t kMaxListed = 1'000;
constexpr int kMostLookedAt = 10'000;
constexpr size_t kListBytes = size_t{8} * 1024 * 1024;
constexpr std::string_view kSelectEntry =
    "SELECT entry_index, time, actor, action, subject, detail, previous_hash, hash FROM audit ";
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

bool Wants(const AuditQuery& query, const Statement& row) {
  if (!row.Bytes(3).starts_with(query.action_prefix)) return false;
  const auto names_it = [&](int column) {
    return row.Bytes(column).find(query.host_id) != std::string::npos;
  };
  return query.host_id.empty() || names_it(2) || names_it(4) || names_it(5);
}

// The token of a page is the index of the last entry that was looked at.
absl::StatusOr<int64_t> BeforeOf(const std::string& page_token) {
  int64_t before = std::numeric_limits<int64_t>::max();
  if (page_token.empty()) return before;
  const char* const end = page_token.data() + page_token.size();
  const auto [last, error] = std::from_chars(page_token.data(), end, before);
  if (error == std::errc() && last == end && before > 0) return before;
  return absl::InvalidArgumentError("page_token is not one of ours");
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
          database.Prepare(StrCat(kSelectEntry, "WHERE entry_index >= ? ORDER BY entry_index LIMIT ?")));
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

absl::StatusOr<AuditPage> SqliteStore::ListAudit(const AuditQuery& query) {
  if (query.limit == 0 || query.limit > kMaxListed) {
    return absl::InvalidArgumentError("limit is not 1 to 1,000");
  }
  CORDON_ASSIGN_OR_RETURN(int64_t before, BeforeOf(query.page_token));
  AuditPage page;
  CORDON_RETURN_IF_ERROR(ReadLong([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement rows,
        database.Prepare(StrCat(kSelectEntry, "WHERE entry_index < ? ORDER BY entry_index DESC")));
    rows.Bind(1, before);
    size_t bytes = 0;
    for (int looked_at = 0;; ++looked_at) {
      CORDON_ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) return absl::OkStatus();
      if (page.entries.size() == query.limit || bytes >= kListBytes || looked_at == kMostLookedAt) {
        page.next_page_token = StrCat(before);
        return absl::OkStatus();
      }
      before = rows.Int(0);
      if (!Wants(query, rows)) continue;
      bytes += page.entries.emplace_back(EntryFrom(rows)).ByteSizeLong();
    }
  }));
  return page;
}

}  // namespace cordon::controller
