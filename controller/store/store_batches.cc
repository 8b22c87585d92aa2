#include <optional>
#include <unordered_map>

#include "common/base/status.h"
#include "common/wire/batch_hash.h"
#include "controller/store/chain.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

absl::StatusOr<ChainPosition> CurrentPosition(Database& database, std::string_view host_id) {
  CORDON_ASSIGN_OR_RETURN(Statement query,
                          database.Prepare("SELECT chain_id, acknowledged_sequence, last_hash FROM chains "
                                           "WHERE host_id = ? AND current = 1"));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, host_id).Step());
  if (!found) return ChainPosition{"", 0, FirstPreviousHash()};
  return ChainPosition{std::string(query.Bytes(0)), query.Unsigned(1), std::string(query.Bytes(2))};
}

// One group commit, inside the writer's transaction.
class BatchWriter {
 public:
  static absl::StatusOr<BatchWriter> For(Database& database, int64_t now) {
    CORDON_ASSIGN_OR_RETURN(
        Statement insert,
        database.Prepare(
            "INSERT INTO batches(host_id, chain_id, first_sequence, event_count, event_class, first_time, "
            "last_time, dropped, previous_hash, payload_sha256, payload) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    return BatchWriter(database, std::move(insert), now);
  }

  absl::StatusOr<BatchResult> Add(const HostBatch& item, const CheckedBatch& checked,
                                  std::vector<v1::OrderOutcome>* changed) {
    CORDON_ASSIGN_OR_RETURN(ChainPosition * position, PositionOf(item.host_id));
    if (position == nullptr) {
      return BatchResult{
          BatchResult::Verdict::kRefused, "the host is not known to this store or is revoked", {}};
    }
    BatchResult result = JudgeBatch(item.host_id, *position, item.batch);
    if (result.verdict != BatchResult::Verdict::kCommitted) return result;
    if (item.batch.chain_id() != position->chain_id) {
      CORDON_ASSIGN_OR_RETURN(const bool begun, BeginChain(item.host_id, *position, item.batch));
      if (!begun) {
        return BatchResult{BatchResult::Verdict::kRefused,
                           StrCat("chain ", item.batch.chain_id(),
                                  " of this host has ended: its state was restored from "
                                  "an old copy, or another machine has its key"),
                           *position};
      }
    }
    CORDON_RETURN_IF_ERROR(Insert(item, checked));
    CORDON_RETURN_IF_ERROR(ApplyControlEvents(item.host_id, checked.control_events, changed));
    *position = result.position;
    return result;
  }

  // Where the host's chain ends now; empty for a host that is not known.
  absl::StatusOr<ChainPosition> Position(const std::string& host_id) {
    CORDON_ASSIGN_OR_RETURN(const ChainPosition* position, PositionOf(host_id));
    return position != nullptr ? *position : ChainPosition();
  }

  // Writes the new ends of the chains.
  absl::Status Finish() {
    CORDON_ASSIGN_OR_RETURN(Statement update,
                            database_.Prepare("UPDATE chains SET acknowledged_sequence = ?, last_hash = ? "
                                              "WHERE host_id = ? AND chain_id = ?"));
    for (const auto& [host_id, position] : positions_) {
      if (!position.has_value() || position->chain_id.empty()) continue;
      CORDON_RETURN_IF_ERROR(update.BindUnsigned(1, position->acknowledged_sequence)
                                 .BindBlob(2, position->last_hash)
                                 .BindText(3, host_id)
                                 .BindText(4, position->chain_id)
                                 .Run());
    }
    return absl::OkStatus();
  }

 private:
  BatchWriter(Database& database, Statement insert, int64_t now)
      : database_(database), insert_(std::move(insert)), now_(now) {}

  // nullptr: no such host, or it is revoked.
  absl::StatusOr<ChainPosition*> PositionOf(const std::string& host_id) {
    const auto [at, fresh] = positions_.try_emplace(host_id);
    if (fresh) {
      CORDON_ASSIGN_OR_RETURN(Statement query,
                              database_.Prepare("SELECT 1 FROM hosts WHERE host_id = ? AND revoked = 0"));
      CORDON_ASSIGN_OR_RETURN(const bool known, query.BindText(1, host_id).Step());
      if (known) {
        CORDON_ASSIGN_OR_RETURN(at->second, CurrentPosition(database_, host_id));
      }
    }
    return at->second.has_value() ? &*at->second : nullptr;
  }

  // False: the chain was there before and has ended.
  absl::StatusOr<bool> BeginChain(const std::string& host_id, const ChainPosition& old,
                                  const v1::Batch& batch) {
    {
      CORDON_ASSIGN_OR_RETURN(Statement query,
                              database_.Prepare("SELECT 1 FROM chains WHERE host_id = ? AND chain_id = ?"));
      CORDON_ASSIGN_OR_RETURN(const bool ended,
                              query.BindText(1, host_id).BindText(2, batch.chain_id()).Step());
      if (ended) return false;
    }
    // What this very commit took of the old chain stands only in memory until Finish.
    CORDON_ASSIGN_OR_RETURN(
        Statement end,
        database_.Prepare("UPDATE chains SET current = 0, acknowledged_sequence = ?, last_hash = ? "
                          "WHERE host_id = ? AND current = 1"));
    CORDON_RETURN_IF_ERROR(
        end.BindUnsigned(1, old.acknowledged_sequence).BindBlob(2, old.last_hash).BindText(3, host_id).Run());
    CORDON_ASSIGN_OR_RETURN(Statement begin, database_.Prepare("INSERT INTO chains VALUES(?, ?, 1, 0, ?)"));
    CORDON_RETURN_IF_ERROR(
        begin.BindText(1, host_id).BindText(2, batch.chain_id()).BindBlob(3, FirstPreviousHash()).Run());
    if (old.chain_id.empty()) return true;
    CORDON_RETURN_IF_ERROR(
        AppendAuditEntry(database_, now_,
                         {StrCat("host/", host_id), "telemetry.new_chain", StrCat("chain ", batch.chain_id()),
                          StrCat("begins at sequence ", batch.first_sequence(), "; chain ", old.chain_id,
                                 " ended at sequence ", old.acknowledged_sequence)}));
    return true;
  }

  absl::Status Insert(const HostBatch& item, const CheckedBatch& checked) {
    const v1::Batch& batch = item.batch;
    return insert_.BindText(1, item.host_id)
        .BindText(2, batch.chain_id())
        .BindUnsigned(3, batch.first_sequence())
        .Bind(4, batch.event_count())
        .Bind(5, batch.event_class())
        .Bind(6, checked.first_time_unix_nanos)
        .Bind(7, checked.last_time_unix_nanos)
        .Bind(8, batch.dropped())
        .BindBlob(9, batch.previous_hash())
        .BindBlob(10, batch.payload_sha256())
        .BindBlob(11, batch.payload())
        .Run();
  }

  absl::Status ApplyControlEvents(const std::string& host_id, const v1::EventList& events,
                                  std::vector<v1::OrderOutcome>* changed) {
    for (const v1::Event& event : events.events()) {
      if (event.has_isolation_changed()) {
        CORDON_RETURN_IF_ERROR(RecordReceipt(database_, host_id, event.isolation_changed().receipt()));
      }
      if (!event.has_order_outcome()) continue;
      v1::OrderOutcome outcome = event.order_outcome();
      outcome.set_host_id(host_id);  // a host speaks for itself alone (AUT-2)
      CORDON_RETURN_IF_ERROR(ApplyOutcome(database_, outcome, changed));
      if (outcome.has_receipt()) CORDON_RETURN_IF_ERROR(RecordReceipt(database_, host_id, outcome.receipt()));
    }
    return absl::OkStatus();
  }

  Database& database_;
  Statement insert_;
  int64_t now_;
  std::unordered_map<std::string, std::optional<ChainPosition>> positions_;
};

}  // namespace

absl::StatusOr<CommitResult> SqliteStore::CommitBatches(std::span<const HostBatch> batches) {
  if (batches.empty()) return CommitResult{};
  // The costly part, hashing and decoding, runs before the writer is taken.
  std::vector<absl::StatusOr<CheckedBatch>> checked;
  checked.reserve(batches.size());
  for (const HostBatch& item : batches) checked.push_back(CheckBatch(item.batch));
  CommitResult result;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(BatchWriter writer, BatchWriter::For(database, clock_.WallNanos()));
    for (size_t i = 0; i < batches.size(); ++i) {
      if (!checked[i].ok()) {
        CORDON_ASSIGN_OR_RETURN(ChainPosition position, writer.Position(batches[i].host_id));
        result.batches.push_back(
            {BatchResult::Verdict::kRefused,
             StrCat("batch ", batches[i].batch.first_sequence(), ": ", Message(checked[i].status())),
             std::move(position)});
        continue;
      }
      CORDON_ASSIGN_OR_RETURN(BatchResult verdict,
                              writer.Add(batches[i], *checked[i], &result.changed_outcomes));
      result.batches.push_back(std::move(verdict));
    }
    CORDON_RETURN_IF_ERROR(writer.Finish());
    return AppendOutcomeEntries(database, clock_.WallNanos(), result.changed_outcomes);
  }));
  return result;
}

absl::StatusOr<ChainPosition> SqliteStore::PositionOf(std::string_view host_id) {
  ChainPosition position;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(position, CurrentPosition(database, host_id));
    return absl::OkStatus();
  }));
  return position;
}

}  // namespace cordon::controller
