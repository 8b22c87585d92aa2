#include "controller/store/chain_rows.h"

#include "common/base/status.h"
#include "common/wire/batch_hash.h"

namespace cordon::controller {
namespace {

absl::Status ReadSegments(Database& database, std::string_view host_id, ChainPosition* position) {
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT first_sequence, last_sequence, previous_hash, last_hash FROM segments "
                       "WHERE host_id = ? AND chain_id = ? ORDER BY first_sequence"));
  query.BindText(1, host_id).BindText(2, position->chain_id);
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return absl::OkStatus();
    position->ahead.push_back(
        {query.Unsigned(0), query.Unsigned(1), std::string(query.Bytes(2)), std::string(query.Bytes(3))});
  }
}

absl::Status WriteSegments(Database& database, std::string_view host_id, const ChainPosition& position) {
  CORDON_ASSIGN_OR_RETURN(Statement remove,
                          database.Prepare("DELETE FROM segments WHERE host_id = ? AND chain_id = ?"));
  CORDON_RETURN_IF_ERROR(remove.BindText(1, host_id).BindText(2, position.chain_id).Run());
  if (position.ahead.empty()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database.Prepare("INSERT INTO segments VALUES(?, ?, ?, ?, ?, ?)"));
  for (const ChainSegment& segment : position.ahead) {
    CORDON_RETURN_IF_ERROR(insert.BindText(1, host_id)
                               .BindText(2, position.chain_id)
                               .BindUnsigned(3, segment.first_sequence)
                               .BindUnsigned(4, segment.last_sequence)
                               .BindBlob(5, segment.previous_hash)
                               .BindBlob(6, segment.last_hash)
                               .Run());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChainPosition> ReadChain(Database& database, std::string_view host_id) {
  ChainPosition position{"", 0, FirstPreviousHash()};
  {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT chain_id, acknowledged_sequence, last_hash FROM chains "
                                             "WHERE host_id = ? AND current = 1"));
    CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, host_id).Step());
    if (!found) return position;
    position = {std::string(query.Bytes(0)), query.Unsigned(1), std::string(query.Bytes(2))};
  }
  CORDON_RETURN_IF_ERROR(ReadSegments(database, host_id, &position));
  return position;
}

absl::Status WriteChain(Database& database, std::string_view host_id, const ChainPosition& position,
                        bool with_segments) {
  CORDON_ASSIGN_OR_RETURN(Statement update,
                          database.Prepare("UPDATE chains SET acknowledged_sequence = ?, last_hash = ? "
                                           "WHERE host_id = ? AND chain_id = ?"));
  CORDON_RETURN_IF_ERROR(update.BindUnsigned(1, position.acknowledged_sequence)
                             .BindBlob(2, position.last_hash)
                             .BindText(3, host_id)
                             .BindText(4, position.chain_id)
                             .Run());
  return with_segments ? WriteSegments(database, host_id, position) : absl::OkStatus();
}

absl::StatusOr<bool> BeginChainRow(Database& database, std::string_view host_id,
                                   const std::string& chain_id) {
  {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT 1 FROM chains WHERE host_id = ? AND chain_id = ?"));
    CORDON_ASSIGN_OR_RETURN(const bool ended, query.BindText(1, host_id).BindText(2, chain_id).Step());
    if (ended) return false;
  }
  CORDON_ASSIGN_OR_RETURN(
      Statement end, database.Prepare("UPDATE chains SET current = 0 WHERE host_id = ? AND current = 1"));
  CORDON_RETURN_IF_ERROR(end.BindText(1, host_id).Run());
  CORDON_ASSIGN_OR_RETURN(Statement begin, database.Prepare("INSERT INTO chains VALUES(?, ?, 1, 0, ?)"));
  CORDON_RETURN_IF_ERROR(
      begin.BindText(1, host_id).BindText(2, chain_id).BindBlob(3, FirstPreviousHash()).Run());
  return true;
}

absl::StatusOr<bool> HadChains(Database& database, std::string_view host_id) {
  CORDON_ASSIGN_OR_RETURN(Statement query,
                          database.Prepare("SELECT 1 FROM chains WHERE host_id = ? AND current = 0 LIMIT 1"));
  return query.BindText(1, host_id).Step();
}

absl::StatusOr<int64_t> FindInOtherChains(Database& database, std::string_view host_id,
                                          const v1::Batch& batch, int64_t first_time_unix_nanos) {
  for (const std::string_view sql : kFindPayload) {
    CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare(sql));
    query.BindText(1, host_id).BindBlob(2, batch.payload_sha256()).Bind(3, batch.event_class());
    CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(4, batch.chain_id()).Step());
    // Two batches with one payload have these in common; what says otherwise has no payload (`dropped`).
    if (found && query.Int(1) == first_time_unix_nanos && query.Unsigned(2) == batch.event_count())
      return query.Int(0);
  }
  return 0;
}

}  // namespace cordon::controller
