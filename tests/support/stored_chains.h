#pragma once

// What a controller's store holds of a host, read from its file by another way than the store's own.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/strings.h"
#include "common/sqlite/database.h"
#include "common/wire/batch_codec.h"
#include "common/wire/batch_hash.h"
#include "cordon/v1/event.pb.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

struct StoredRow {
  v1::Batch batch;
  bool repeats = false;  // a header whose events are stored with an older chain
};

inline std::vector<StoredRow> StoredRows(const std::filesystem::path& file, const std::string& host_id) {
  Database database = Must(Database::OpenReadOnly(file));
  Statement query =
      Must(database.Prepare("SELECT chain_id, first_sequence, event_count, event_class, dropped, "
                            "previous_hash, payload_sha256, payload, "
                            "repeats FROM batches WHERE host_id = ? ORDER BY chain_id, first_sequence"));
  query.BindText(1, host_id);
  std::vector<StoredRow> rows;
  while (Must(query.Step())) {
    StoredRow& row = rows.emplace_back();
    row.batch.set_chain_id(std::string(query.Bytes(0)));
    row.batch.set_first_sequence(query.Unsigned(1));
    row.batch.set_event_count(static_cast<uint32_t>(query.Int(2)));
    row.batch.set_event_class(static_cast<v1::EventClass>(query.Int(3)));
    row.batch.set_dropped(static_cast<v1::Gap::Cause>(query.Int(4)));
    row.batch.set_previous_hash(std::string(query.Bytes(5)));
    row.batch.set_payload_sha256(std::string(query.Bytes(6)));
    row.batch.set_payload(std::string(query.Bytes(7)));
    row.repeats = query.Int(8) != 0;
  }
  return rows;
}

// Empty when every chain of the host is whole from its beginning: numbers without a hole, each batch naming
// the one before it (TEL-3). Else the first fault. Chains in `ended_early` may have holes: what was missing
// of them came with the next chain.
inline std::string StoredChainFault(const std::vector<StoredRow>& rows, const std::string& host_id,
                                    const std::string& present_chain) {
  const v1::Batch* before = nullptr;
  for (const StoredRow& row : rows) {
    const v1::Batch& batch = row.batch;
    const bool first = before == nullptr || before->chain_id() != batch.chain_id();
    const std::string where = StrCat("chain ", batch.chain_id(), ", batch ", batch.first_sequence());
    if (first && batch.previous_hash() != FirstPreviousHash()) return where + " is no beginning";
    if (!first) {
      const bool follows = batch.first_sequence() == before->first_sequence() + before->event_count();
      if (follows && batch.previous_hash() != BatchHash(host_id, *before)) {
        return where + " does not name the one before it";
      }
      if (!follows && batch.chain_id() == present_chain) return where + " leaves a hole";
    }
    before = &batch;
  }
  return "";
}

// How often each program of a storm (tests/support/exec_storm.h) is stored, by its number.
inline std::map<int, int> StoredPrograms(const std::vector<StoredRow>& rows, const std::string& tag) {
  std::map<int, int> counts;
  for (const StoredRow& row : rows) {
    if (row.repeats || row.batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) continue;
    const v1::EventList list = Must(DecodeEvents(row.batch.payload(), row.batch.event_count()));
    for (const v1::Event& event : list.events()) {
      const v1::ProcessStarted& start = event.process_started();
      if (start.from_snapshot() || start.argv_size() != 3 || start.argv(1) != tag) continue;
      ++counts[std::stoi(start.argv(2))];
    }
  }
  return counts;
}

// What the host's stored events and gaps come to.
struct StoredTruth {
  std::map<uint32_t, int> pids;  // of started processes: how often each is stored
  std::vector<v1::Gap> gaps;     // events of the kind, and dropped batches
};

inline StoredTruth TruthOf(const std::vector<StoredRow>& rows) {
  StoredTruth truth;
  for (const StoredRow& row : rows) {
    if (row.repeats) continue;
    if (row.batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) {
      v1::Gap& gap = truth.gaps.emplace_back();
      gap.set_cause(row.batch.dropped());
      gap.set_event_class(row.batch.event_class());
      gap.set_count(row.batch.event_count());
      gap.set_first_sequence(row.batch.first_sequence());
      continue;
    }
    const v1::EventList list = Must(DecodeEvents(row.batch.payload(), row.batch.event_count()));
    for (const v1::Event& event : list.events()) {
      if (event.has_gap()) truth.gaps.push_back(event.gap());
      if (event.has_process_started()) ++truth.pids[event.process_started().pid()];
    }
  }
  return truth;
}

}  // namespace cordon::testing
