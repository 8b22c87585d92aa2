#include <optional>
#include <unordered_map>

#include "common/base/status.h"
#include "common/wire/batch_codec.h"
#include "common/wire/host_report.h"
#include "controller/store/chain.h"
#include "controller/store/chain_rows.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

// One group commit, inside the writer's transaction.
class BatchWriter {
 public:
  static absl::StatusOr<BatchWriter> For(Database& database, int64_t now) {
    CORDON_ASSIGN_OR_RETURN(
        Statement insert,
        database.Prepare(
            "INSERT INTO batches(host_id, chain_id, first_sequence, event_count, event_class, first_time, "
            "last_time, dropped, previous_hash, payload_sha256, payload, repeats) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    return BatchWriter(database, std::move(insert), now);
  }

  absl::StatusOr<BatchResult> Add(const HostBatch& item, const CheckedBatch& checked,
                                  std::vector<v1::OrderOutcome>* changed) {
    CORDON_ASSIGN_OR_RETURN(Chain * chain, ChainOf(item.host_id));
    if (chain == nullptr) {
      return BatchResult{
          BatchResult::Verdict::kRefused, "the host is not known to this store or is revoked", {}, 0, 0};
    }
    BatchResult result = JudgeBatch(item.host_id, chain->position, item.batch, item.opens_segment);
    if (result.verdict != BatchResult::Verdict::kCommitted) return result;
    if (item.batch.chain_id() != chain->position.chain_id) {
      CORDON_ASSIGN_OR_RETURN(const bool begun, BeginChain(item.host_id, *chain, item.batch));
      if (!begun) {
        return BatchResult{BatchResult::Verdict::kRefused,
                           StrCat("chain ", item.batch.chain_id(),
                                  " of this host has ended: its state was restored from "
                                  "an old copy, or another machine has its key"),
                           chain->position, 0, 0};
      }
    }
    // A host that was set back, or whose acknowledgement was lost with its chain, sends again under new
    // numbers what is stored under old ones. The same payload from the same host at the same nanosecond is
    // the same events (TEL-2).
    int64_t repeats = 0;
    if (chain->begun_anew) {
      CORDON_ASSIGN_OR_RETURN(
          repeats, FindInOtherChains(database_, item.host_id, item.batch, checked.first_time_unix_nanos));
    }
    CORDON_RETURN_IF_ERROR(Insert(item, checked, repeats));
    CORDON_RETURN_IF_ERROR(ApplyControlEvents(item, changed));
    chain->segments_changed = chain->segments_changed || chain->position.ahead != result.position.ahead;
    chain->position = result.position;
    return result;
  }

  // Where the host's chain ends now; empty for a host that is not known.
  absl::StatusOr<ChainPosition> Position(const std::string& host_id) {
    CORDON_ASSIGN_OR_RETURN(const Chain* chain, ChainOf(host_id));
    return chain != nullptr ? chain->position : ChainPosition();
  }

  // Writes the new ends of the chains.
  absl::Status Finish() {
    for (const auto& [host_id, chain] : chains_) {
      if (!chain.has_value() || chain->position.chain_id.empty()) continue;
      CORDON_RETURN_IF_ERROR(WriteChain(database_, host_id, chain->position, chain->segments_changed));
    }
    return absl::OkStatus();
  }

 private:
  struct Chain {
    ChainPosition position;
    bool begun_anew = false;  // the host has older chains
    bool segments_changed = false;
  };

  BatchWriter(Database& database, Statement insert, int64_t now)
      : database_(database), insert_(std::move(insert)), now_(now) {}

  // nullptr: no such host, or it is revoked.
  absl::StatusOr<Chain*> ChainOf(const std::string& host_id) {
    const auto [at, fresh] = chains_.try_emplace(host_id);
    if (fresh) {
      CORDON_ASSIGN_OR_RETURN(Statement query,
                              database_.Prepare("SELECT 1 FROM hosts WHERE host_id = ? AND revoked = 0"));
      CORDON_ASSIGN_OR_RETURN(const bool known, query.BindText(1, host_id).Step());
      if (known) {
        Chain chain;
        CORDON_ASSIGN_OR_RETURN(chain.position, ReadChain(database_, host_id));
        CORDON_ASSIGN_OR_RETURN(chain.begun_anew, HadChains(database_, host_id));
        at->second = std::move(chain);
      }
    }
    return at->second.has_value() ? &*at->second : nullptr;
  }

  // False: the chain was there before and has ended.
  absl::StatusOr<bool> BeginChain(const std::string& host_id, Chain& chain, const v1::Batch& batch) {
    const ChainPosition& old = chain.position;
    // What this very commit took of the old chain stands only in memory until Finish.
    if (!old.chain_id.empty()) CORDON_RETURN_IF_ERROR(WriteChain(database_, host_id, old, true));
    CORDON_ASSIGN_OR_RETURN(const bool begun, BeginChainRow(database_, host_id, batch.chain_id()));
    if (!begun || old.chain_id.empty()) return begun;
    chain.begun_anew = true;
    CORDON_RETURN_IF_ERROR(
        AppendAuditEntry(database_, now_,
                         {StrCat("host/", host_id), "telemetry.new_chain", StrCat("chain ", batch.chain_id()),
                          StrCat("begins at sequence ", batch.first_sequence(), "; chain ", old.chain_id,
                                 " ended at sequence ", old.acknowledged_sequence, " with ", old.ahead.size(),
                                 " segments ahead of it")}));
    return true;
  }

  absl::Status Insert(const HostBatch& item, const CheckedBatch& checked, int64_t repeats) {
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
        .BindBlob(11, repeats == 0 ? std::string_view(batch.payload()) : std::string_view())
        .Bind(12, repeats)
        .Run();
  }

  // Parsed here once more, one after the other, rather than held for all batches of the group (AUT-6).
  absl::Status ApplyControlEvents(const HostBatch& item, std::vector<v1::OrderOutcome>* changed) {
    const v1::Batch& batch = item.batch;
    if (batch.event_class() != v1::EVENT_CLASS_CONTROL || batch.payload().empty()) return absl::OkStatus();
    const auto apply = [&](int64_t /*base_time*/, std::string_view bytes) -> absl::Status {
      v1::Event event;
      CORDON_RETURN_IF_ERROR(ParseEvent(bytes, &event));
      return ApplyControlEvent(item.host_id, event, changed);
    };
    return ForEachEvent(batch.payload(), batch.event_count(), apply);
  }

  // What a host could not say on Control either has no effect; the event is kept as it came (AUT-6).
  absl::Status ApplyControlEvent(const std::string& host_id, const v1::Event& event,
                                 std::vector<v1::OrderOutcome>* changed) {
    if (event.has_isolation_changed() && CheckReceipt(event.isolation_changed().receipt()).ok()) {
      CORDON_RETURN_IF_ERROR(
          RecordSpooledReceipt(database_, now_, host_id, event.isolation_changed().receipt()));
    }
    if (!event.has_order_outcome() || !CheckOutcome(event.order_outcome()).ok()) return absl::OkStatus();
    v1::OrderOutcome outcome = event.order_outcome();
    outcome.set_host_id(host_id);  // a host speaks for itself alone (AUT-2)
    CORDON_ASSIGN_OR_RETURN(const bool news, IsNews(outcome));
    if (news) CORDON_RETURN_IF_ERROR(ApplyOutcome(database_, now_, outcome, changed));
    if (!outcome.has_receipt()) return absl::OkStatus();
    return RecordSpooledReceipt(database_, now_, host_id, outcome.receipt());
  }

  // That an order runs is news once. How far a scan is, the host says on Control while it runs: what the
  // spool kept is older than that. Without this, a host could have one row written, and everybody who watches
  // told, for each of the hundred thousands of outcomes that a batch has room for (AUT-6).
  absl::StatusOr<bool> IsNews(const v1::OrderOutcome& outcome) {
    if (outcome.state() != v1::OrderOutcome::STATE_RUNNING) return true;
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database_.Prepare("SELECT 1 FROM outcomes WHERE order_id = ? AND host_id = ? AND state = ?"));
    CORDON_ASSIGN_OR_RETURN(
        const bool runs,
        query.BindText(1, outcome.order_id()).BindText(2, outcome.host_id()).Bind(3, outcome.state()).Step());
    return !runs;
  }

  Database& database_;
  Statement insert_;
  int64_t now_;
  std::unordered_map<std::string, std::optional<Chain>> chains_;
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
             std::move(position), 0, 0});
        continue;
      }
      CORDON_ASSIGN_OR_RETURN(BatchResult verdict,
                              writer.Add(batches[i], *checked[i], &result.changed_outcomes));
      result.batches.push_back(std::move(verdict));
    }
    CORDON_RETURN_IF_ERROR(writer.Finish());
    return AppendOutcomeEntries(database, clock_.WallNanos(), result.changed_outcomes, SaidBy::kHost);
  }));
  return result;
}

absl::StatusOr<ChainPosition> SqliteStore::PositionOf(std::string_view host_id) {
  ChainPosition position;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(position, ReadChain(database, host_id));
    return absl::OkStatus();
  }));
  return position;
}

}  // namespace cordon::controller
