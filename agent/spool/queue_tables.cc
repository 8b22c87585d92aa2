#include "agent/spool/queue_tables.h"

#include <utility>

#include "agent/spool/queue_events.h"
#include "common/base/status.h"
#include "common/crypto/digest.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, header, written_age_nanos, payload_bytes, last_sequence FROM batch ";

// Below CONTROL; as a literal, so that SQLite sees that the partial indexes fit.
constexpr std::string_view kMayBeDropped = "WHERE payload_bytes > 0 AND event_class < 4 ";
static_assert(v1::EVENT_CLASS_CONTROL == 4);

constexpr std::string_view kRemovePayload = "DELETE FROM payload WHERE id = ?";
constexpr std::string_view kRemoveHeader = "DELETE FROM batch WHERE id = ?";

absl::StatusOr<v1::Batch> ParseHeader(std::string_view bytes, uint64_t last_sequence) {
  v1::Batch header;
  if (!header.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || header.event_count() == 0 ||
      LastSequence(header) != last_sequence) {
    return absl::DataLossError(
        StrCat("the header of the batch that ends with ", last_sequence, " is damaged"));
  }
  return header;
}

void MarkDropped(v1::Batch* batch, v1::Gap::Cause cause) {
  batch->set_dropped(cause);
  batch->clear_payload();
}

}  // namespace

QueueTables::QueueTables(Database database) : database_(std::move(database)) {}

absl::StatusOr<QueueTables::KeptStatement> QueueTables::Kept(std::string_view sql) {
  auto kept = kept_.find(sql);
  if (kept == kept_.end()) {
    CORDON_ASSIGN_OR_RETURN(Statement prepared, database_.Prepare(sql));
    kept = kept_.emplace(sql, std::move(prepared)).first;
  }
  return KeptStatement(&kept->second);
}

absl::StatusOr<std::optional<QueueState>> QueueTables::LoadState() {
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database_.Prepare(
          "SELECT host_id, chain_id, chain_first, next_sequence, last_hash, acknowledged, clean_stop,"
          " last_commit_unix_nanos, age_nanos FROM spool"));
  CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return std::nullopt;
  return QueueState{.host_id = std::string(query.Bytes(0)),
                    .chain_id = std::string(query.Bytes(1)),
                    .chain_first = query.Unsigned(2),
                    .next_sequence = query.Unsigned(3),
                    .last_hash = std::string(query.Bytes(4)),
                    .acknowledged = query.Unsigned(5),
                    .clean_stop = query.Int(6) != 0,
                    .last_commit_unix_nanos = query.Int(7),
                    .age_nanos = query.Int(8)};
}

absl::Status QueueTables::SaveState(const QueueState& state) {
  CORDON_ASSIGN_OR_RETURN(const KeptStatement replace,
                          Kept("INSERT OR REPLACE INTO spool VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  return replace->BindText(1, state.host_id)
      .BindText(2, state.chain_id)
      .BindUnsigned(3, state.chain_first)
      .BindUnsigned(4, state.next_sequence)
      .BindBlob(5, state.last_hash)
      .BindUnsigned(6, state.acknowledged)
      .Bind(7, state.clean_stop ? 1 : 0)
      .Bind(8, state.last_commit_unix_nanos)
      .Bind(9, state.age_nanos)
      .Run();
}

absl::Status QueueTables::Insert(const v1::Batch& batch, int64_t written_age_nanos) {
  v1::Batch header = batch;
  header.clear_payload();
  CORDON_ASSIGN_OR_RETURN(
      const KeptStatement insert,
      Kept("INSERT INTO batch(last_sequence, event_class, event_count, written_age_nanos, payload_bytes,"
           " header) VALUES(?, ?, ?, ?, ?, ?)"));
  CORDON_RETURN_IF_ERROR(insert->BindUnsigned(1, LastSequence(batch))
                             .Bind(2, batch.event_class())
                             .Bind(3, batch.event_count())
                             .Bind(4, written_age_nanos)
                             .BindUnsigned(5, batch.payload().size())
                             .BindBlob(6, header.SerializeAsString())
                             .Run());
  CORDON_ASSIGN_OR_RETURN(const KeptStatement payload, Kept("INSERT INTO payload(id, bytes) VALUES(?, ?)"));
  return payload->Bind(1, database_.LastInsertId()).BindBlob(2, batch.payload()).Run();
}

absl::StatusOr<std::vector<QueuedBatch>> QueueTables::ReadHeaders(Statement& query) {
  std::vector<QueuedBatch> result;
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return result;
    CORDON_ASSIGN_OR_RETURN(v1::Batch header, ParseHeader(query.Bytes(1), query.Unsigned(4)));
    result.push_back({.id = query.Int(0),
                      .batch = std::move(header),
                      .written_age_nanos = query.Int(2),
                      .payload_bytes = query.Unsigned(3)});
  }
}

absl::Status QueueTables::ForEach(const std::function<absl::Status(const QueuedBatch&)>& visit) {
  constexpr int kPage = 1'000;
  int64_t after = -1;
  while (true) {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database_.Prepare(StrCat(kColumns, "WHERE id > ? ORDER BY id LIMIT ?")));
    query.Bind(1, after).Bind(2, kPage);
    CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> page, ReadHeaders(query));
    if (page.empty()) return absl::OkStatus();
    for (const QueuedBatch& queued : page) CORDON_RETURN_IF_ERROR(visit(queued));
    after = page.back().id;
  }
}

absl::Status QueueTables::ReplaceHeader(int64_t id, const v1::Batch& header) {
  CORDON_ASSIGN_OR_RETURN(Statement update,
                          database_.Prepare("UPDATE batch SET header = ?, last_sequence = ? WHERE id = ?"));
  return update.BindBlob(1, header.SerializeAsString())
      .BindUnsigned(2, LastSequence(header))
      .Bind(3, id)
      .Run();
}

absl::Status QueueTables::DropPayload(int64_t id, v1::Batch header, v1::Gap::Cause cause) {
  MarkDropped(&header, cause);
  CORDON_ASSIGN_OR_RETURN(Statement update,
                          database_.Prepare("UPDATE batch SET header = ?, payload_bytes = 0 WHERE id = ?"));
  CORDON_RETURN_IF_ERROR(update.BindBlob(1, header.SerializeAsString()).Bind(2, id).Run());
  CORDON_ASSIGN_OR_RETURN(const KeptStatement remove, Kept(kRemovePayload));
  return remove->Bind(1, id).Run();
}

absl::Status QueueTables::ForgetPayload(int64_t id) {
  CORDON_ASSIGN_OR_RETURN(const KeptStatement update,
                          Kept("UPDATE batch SET payload_bytes = 0 WHERE id = ?"));
  CORDON_RETURN_IF_ERROR(update->Bind(1, id).Run());
  CORDON_ASSIGN_OR_RETURN(const KeptStatement remove, Kept(kRemovePayload));
  return remove->Bind(1, id).Run();
}

absl::Status QueueTables::Remove(int64_t id) {
  for (const std::string_view sql : {kRemovePayload, kRemoveHeader}) {
    CORDON_ASSIGN_OR_RETURN(const KeptStatement remove, Kept(sql));
    CORDON_RETURN_IF_ERROR(remove->Bind(1, id).Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<QueuedBatch>> QueueTables::LeastImportant(int limit) {
  CORDON_ASSIGN_OR_RETURN(Statement query, database_.Prepare(StrCat(kColumns, kMayBeDropped,
                                                                    "ORDER BY event_class, id LIMIT ?")));
  query.Bind(1, limit);
  return ReadHeaders(query);
}

absl::StatusOr<std::vector<QueuedBatch>> QueueTables::WrittenBefore(int64_t age_nanos, int limit) {
  CORDON_ASSIGN_OR_RETURN(
      const KeptStatement query,
      Kept(StrCat(kColumns, kMayBeDropped, "AND written_age_nanos < ? ORDER BY written_age_nanos LIMIT ?")));
  query->Bind(1, age_nanos).Bind(2, limit);
  return ReadHeaders(*query);
}

absl::StatusOr<std::vector<QueuedBatch>> QueueTables::UpTo(uint64_t last_sequence) {
  CORDON_ASSIGN_OR_RETURN(const KeptStatement query,
                          Kept(StrCat(kColumns, "WHERE last_sequence <= ? ORDER BY last_sequence")));
  query->BindUnsigned(1, last_sequence);
  return ReadHeaders(*query);
}

absl::StatusOr<std::vector<QueuedBatch>> QueueTables::Within(uint64_t first_sequence,
                                                             uint64_t last_sequence) {
  CORDON_ASSIGN_OR_RETURN(
      const KeptStatement query,
      Kept(StrCat(kColumns, "WHERE last_sequence BETWEEN ? AND ? AND payload_bytes > 0")));
  query->BindUnsigned(1, first_sequence).BindUnsigned(2, last_sequence);
  CORDON_ASSIGN_OR_RETURN(std::vector<QueuedBatch> found, ReadHeaders(*query));
  std::erase_if(found,
                [&](const QueuedBatch& queued) { return queued.batch.first_sequence() < first_sequence; });
  return found;
}

absl::StatusOr<std::optional<QueuedBatch>> QueueTables::Find(uint64_t first_sequence) {
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database_.Prepare(StrCat(kColumns, "WHERE last_sequence >= ? ORDER BY last_sequence LIMIT 1")));
  query.BindUnsigned(1, first_sequence);
  CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> found, ReadHeaders(query));
  if (found.empty() || found.front().batch.first_sequence() != first_sequence) return std::nullopt;
  return found.front();
}

absl::StatusOr<std::optional<int64_t>> QueueTables::OldestTime() {
  CORDON_ASSIGN_OR_RETURN(const KeptStatement query,
                          Kept(StrCat(kColumns, "WHERE payload_bytes > 0 ORDER BY id LIMIT 1")));
  CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> oldest, ReadHeaders(*query));
  if (oldest.empty()) return std::nullopt;
  return oldest.front().batch.first_time_unix_nanos();
}

absl::StatusOr<std::vector<v1::Batch>> QueueTables::ReadAfter(uint64_t sequence, size_t max_bytes) {
  CORDON_ASSIGN_OR_RETURN(const KeptStatement query,
                          Kept("SELECT header, bytes, last_sequence FROM batch LEFT JOIN payload"
                               " USING(id) WHERE last_sequence > ? ORDER BY last_sequence"));
  query->BindUnsigned(1, sequence);
  std::vector<v1::Batch> result;
  size_t bytes = 0;
  while (true) {
    const absl::StatusOr<bool> row = query->Step();
    if (!row.ok() && result.empty()) return row.status();
    if (!row.ok() || !*row) return result;
    absl::StatusOr<v1::Batch> parsed = ParseHeader(query->Bytes(0), query->Unsigned(2));
    if (!parsed.ok() && result.empty()) return parsed.status();
    if (!parsed.ok()) return result;  // what can be read is delivered; the next call says what cannot
    v1::Batch batch = *std::move(parsed);
    const std::string_view payload = query->Bytes(1);
    bytes += query->Bytes(0).size() + payload.size();  // thousands of headers may have no payload
    if (!result.empty() && bytes > max_bytes) return result;
    if (batch.dropped() == v1::Gap::CAUSE_UNSPECIFIED) {
      batch.set_payload(std::string(payload));
      if (Sha256(payload) != batch.payload_sha256()) MarkDropped(&batch, v1::Gap::CAUSE_STATE_DAMAGED);
    }
    result.push_back(std::move(batch));
  }
}

absl::StatusOr<std::optional<std::string>> QueueTables::HashAt(uint64_t last_sequence) {
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database_.Prepare(StrCat(kColumns, "WHERE last_sequence > ? ORDER BY last_sequence LIMIT 1")));
  query.BindUnsigned(1, last_sequence);
  CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> next, ReadHeaders(query));
  if (next.empty()) return std::nullopt;
  if (next.front().batch.first_sequence() != last_sequence + 1)
    return std::string();  // inside a batch: nobody's hash
  return next.front().batch.previous_hash();
}

}  // namespace cordon::agent
