#include "agent/spool/sqlite_spool.h"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/spool/batch_packer.h"
#include "agent/spool/queue_events.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/batch_hash.h"

namespace cordon::agent {
namespace {

// What a batch costs beside its payload: header, row, index entries.
constexpr uint64_t kHeaderBytes = 256;
constexpr int kDropPage = 64;
// How much a host's time off may add to the age of what is queued: the wall clock across it is not to be
// trusted.
constexpr int64_t kLongestTimeOff = 24LL * 3600 * kNanosPerSecond;
// An event is on disk this long after it happened, at the latest: a file may take 5 s to settle (settler.h),
// and hashing it. It also covers a start that was killed before it could say since when the sensors watch.
constexpr int64_t kLongestOnItsWay = 10 * kNanosPerSecond;

}  // namespace

SqliteSpool::SqliteSpool(SpoolSettings settings, const Clock& clock, QueueTables writer, QueueTables reader,
                         std::string notice)
    : settings_(std::move(settings)),
      clock_(clock),
      notice_(std::move(notice)),
      writer_(std::move(writer)),
      last_boot_nanos_(clock.BootNanos()),
      reader_(std::move(reader)) {}

absl::Status SqliteSpool::Load() {
  CORDON_ASSIGN_OR_RETURN(std::optional<QueueState> state, writer_.LoadState());
  View view;
  if (!state.has_value()) {
    view.state.host_id = settings_.host_id;
    view.state.chain_id = NewUuid();
    view.state.last_hash = FirstPreviousHash();
  } else {
    view.state = *std::move(state);
  }
  if (view.state.host_id != settings_.host_id) {
    return absl::DataLossError(StrCat("the queue is that of host ", Printable(view.state.host_id)));
  }
  uint64_t expected = view.state.acknowledged + 1;
  std::optional<std::string> hash;
  CORDON_RETURN_IF_ERROR(writer_.ForEach([&](const QueuedBatch& queued) -> absl::Status {
    const v1::Batch& batch = queued.batch;
    const std::string& previous = batch.previous_hash();
    if (batch.first_sequence() != expected || batch.chain_id() != view.state.chain_id ||
        (hash.has_value() && previous != *hash)) {
      return absl::DataLossError(StrCat("the queue's chain is broken at batch ", batch.first_sequence()));
    }
    hash = BatchHash(settings_.host_id, batch);
    expected = LastSequence(batch) + 1;
    view.bytes += queued.payload_bytes + kHeaderBytes;
    if (queued.payload_bytes == 0) ++view.stubs;
    if (queued.payload_bytes > 0) view.events += batch.event_count();
    return absl::OkStatus();
  }));
  if (expected != view.state.next_sequence || (hash.has_value() && *hash != view.state.last_hash)) {
    return absl::DataLossError("the queue's end is not where it was");
  }
  CORDON_RETURN_IF_ERROR(FindOldest(&view));
  view_ = std::move(view);
  acknowledged_ = view_.state.acknowledged;
  return absl::OkStatus();
}

absl::Status SqliteSpool::RecordStart(const std::string& set_aside, const std::string& damage) {
  const int64_t now = clock_.WallNanos();
  const QueueState& state = view_.state;
  std::vector<EventGroup> groups;
  if (!set_aside.empty()) {
    groups.push_back(
        ControlGroup(now, UnknownGap(v1::Gap::CAUSE_STATE_DAMAGED, 0, now,
                                     StrCat("agent.db was damaged (", damage, ") and is kept as ", set_aside,
                                            "; a new chain begins"))));
  } else if (state.last_commit_unix_nanos != 0) {
    const int64_t ended = state.last_commit_unix_nanos;
    groups.push_back(ControlGroup(
        now, state.clean_stop
                 ? UnknownGap(v1::Gap::CAUSE_AGENT_NOT_RUNNING, ended, now,
                              "the agent was stopped and started again")
                 : UnknownGap(v1::Gap::CAUSE_AGENT_STOPPED_UNCLEANLY, ended - kLongestOnItsWay, now,
                              "the agent ended without saying so: what it held in memory is lost, and nobody "
                              "watched until this start")));
    view_.state.age_nanos += std::clamp<int64_t>(now - state.last_commit_unix_nanos, 0, kLongestTimeOff);
  }
  return Append(groups);
}

absl::Status SqliteSpool::Append(const std::vector<EventGroup>& groups) {
  std::vector<v1::Batch> batches = PackBatches(groups);  // before the lock: this is where the time goes
  return Write([&](View* view) { return AddBatches(view, batches); });
}

absl::Status SqliteSpool::Maintain() {
  return Write([](View*) { return absl::OkStatus(); });
}

absl::Status SqliteSpool::CloseCleanly() {
  CORDON_RETURN_IF_ERROR(Write([](View* view) {
    view->state.clean_stop = true;
    return absl::OkStatus();
  }));
  const std::lock_guard lock(write_);
  closed_ = true;
  return absl::OkStatus();
}

absl::Status SqliteSpool::Write(const std::function<absl::Status(View*)>& change) {
  const std::lock_guard lock(write_);
  if (closed_) return absl::FailedPreconditionError("the spool is closed: the agent is stopping");
  View view;
  uint64_t acknowledged = 0;
  Runs ahead;
  {
    const std::lock_guard memory(memory_);
    view = view_;
    acknowledged = acknowledged_;
    ahead = ahead_;
  }
  view.state.clean_stop = false;
  PassTime(&view);
  CORDON_RETURN_IF_ERROR(Annotate(writer_.Transaction([&]() -> absl::Status {
    CORDON_RETURN_IF_ERROR(ForgetAcknowledged(&view, acknowledged));
    CORDON_RETURN_IF_ERROR(ForgetAhead(&view, ahead));
    CORDON_RETURN_IF_ERROR(change(&view));
    CORDON_RETURN_IF_ERROR(KeepLimits(&view));
    CORDON_RETURN_IF_ERROR(FindOldest(&view));
    return writer_.SaveState(view.state);
  }),
                                  settings_.file.string()));
  last_boot_nanos_ = clock_.BootNanos();
  const std::lock_guard memory(memory_);
  const bool new_chain = view.state.chain_id != view_.state.chain_id;
  acknowledged_ = new_chain ? view.state.acknowledged : std::max(acknowledged_, view.state.acknowledged);
  if (new_chain) {
    ahead_.clear();
  } else {
    MarkForgotten(ahead);
  }
  view_ = std::move(view);
  return absl::OkStatus();
}

void SqliteSpool::PassTime(View* view) {
  view->state.age_nanos += std::max<int64_t>(0, clock_.BootNanos() - last_boot_nanos_);
  view->state.last_commit_unix_nanos = clock_.WallNanos();
}

absl::Status SqliteSpool::ForgetAcknowledged(View* view, uint64_t acknowledged) {
  if (acknowledged <= view->state.acknowledged) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> done, writer_.UpTo(acknowledged));
  for (const QueuedBatch& queued : done) {
    CORDON_RETURN_IF_ERROR(Remove(view, queued));
    view->state.acknowledged = LastSequence(queued.batch);
  }
  return absl::OkStatus();
}

absl::Status SqliteSpool::Remove(View* view, const QueuedBatch& queued) {
  view->bytes -= queued.payload_bytes + kHeaderBytes;
  if (queued.payload_bytes == 0) --view->stubs;
  if (queued.payload_bytes > 0) view->events -= queued.batch.event_count();
  return writer_.Remove(queued.id);
}

// Batches that are committed ahead of a backlog keep their headers, so that the chain is whole.
absl::Status SqliteSpool::ForgetAhead(View* view, const Runs& ahead) {
  for (const Run& run : ahead) {
    if (run.forgotten >= run.last) continue;
    const uint64_t from = std::max(run.first, run.forgotten + 1);
    CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> done, writer_.Within(from, run.last));
    for (const QueuedBatch& queued : done) {
      CORDON_RETURN_IF_ERROR(writer_.ForgetPayload(queued.id));
      view->bytes -= queued.payload_bytes;
      view->events -= queued.batch.event_count();
      ++view->stubs;
    }
  }
  return absl::OkStatus();
}

void SqliteSpool::MarkForgotten(const Runs& ahead) {
  for (Run& run : ahead_) {
    for (const Run& done : ahead) {
      if (done.first == run.first) run.forgotten = std::max(run.forgotten, done.last);
    }
  }
}

absl::Status SqliteSpool::AddBatches(View* view, std::vector<v1::Batch> batches) {
  QueueState& state = view->state;
  for (v1::Batch& batch : batches) {
    batch.set_first_sequence(state.next_sequence);
    batch.set_chain_id(state.chain_id);
    batch.set_previous_hash(state.last_hash);
    CORDON_RETURN_IF_ERROR(writer_.Insert(batch, state.age_nanos));
    state.last_hash = BatchHash(settings_.host_id, batch);
    state.next_sequence += batch.event_count();
    view->bytes += batch.payload().size() + kHeaderBytes;
    view->events += batch.event_count();
  }
  return absl::OkStatus();
}

// TEL-4
absl::Status SqliteSpool::KeepLimits(View* view) {
  while (true) {
    CORDON_ASSIGN_OR_RETURN(
        const std::vector<QueuedBatch> old,
        writer_.WrittenBefore(view->state.age_nanos - settings_.limit_age_nanos, kDropPage));
    if (old.empty()) break;
    for (const QueuedBatch& queued : old)
      CORDON_RETURN_IF_ERROR(Drop(view, queued, v1::Gap::CAUSE_SPOOL_AGE));
  }
  while (view->bytes > settings_.limit_bytes) {
    CORDON_ASSIGN_OR_RETURN(const std::vector<QueuedBatch> least, writer_.LeastImportant(kDropPage));
    if (least.empty()) break;  // only CONTROL and headers are left
    for (const QueuedBatch& queued : least) {
      if (view->bytes <= settings_.limit_bytes) break;
      CORDON_RETURN_IF_ERROR(Drop(view, queued, v1::Gap::CAUSE_SPOOL_FULL));
    }
  }
  // Headers alone must not take the room of all payloads.
  const uint64_t an_eighth = std::max<uint64_t>(settings_.limit_bytes / (8 * kHeaderBytes), 1'000);
  const uint64_t most_stubs = std::min(settings_.limit_stubs, an_eighth);
  return view->stubs > most_stubs ? FoldStubs(view) : absl::OkStatus();
}

absl::Status SqliteSpool::Drop(View* view, const QueuedBatch& queued, v1::Gap::Cause cause) {
  CORDON_RETURN_IF_ERROR(writer_.DropPayload(queued.id, queued.batch, cause));
  view->bytes -= queued.payload_bytes;
  view->events -= queued.batch.event_count();
  view->dropped_events += queued.batch.event_count();
  ++view->stubs;
  return absl::OkStatus();
}

// Headers alone would grow without end on a host that stays offline. They become one gap event per class and
// cause; what is kept begins a new chain, since this one now has a hole.
absl::Status SqliteSpool::FoldStubs(View* view) {
  std::map<std::pair<int, int>, v1::Gap> gaps;
  CORDON_RETURN_IF_ERROR(writer_.ForEach([&](const QueuedBatch& queued) -> absl::Status {
    const v1::Batch& batch = queued.batch;
    if (queued.payload_bytes > 0 || queued.Delivered()) return absl::OkStatus();
    v1::Gap& gap = gaps[{batch.event_class(), batch.dropped()}];
    if (gap.count() == 0) {
      gap.set_first_time_unix_nanos(batch.first_time_unix_nanos());
      gap.set_last_time_unix_nanos(batch.last_time_unix_nanos());
    }
    gap.set_cause(batch.dropped());
    gap.set_event_class(batch.event_class());
    gap.set_count(gap.count() + batch.event_count());
    gap.set_first_time_unix_nanos(std::min(gap.first_time_unix_nanos(), batch.first_time_unix_nanos()));
    gap.set_last_time_unix_nanos(std::max(gap.last_time_unix_nanos(), batch.last_time_unix_nanos()));
    gap.set_detail("many dropped batches, told as one; a new chain begins");
    return Remove(view, queued);
  }));
  CORDON_RETURN_IF_ERROR(BeginChain(view, view->state.next_sequence, StoredAhead()));
  std::vector<EventGroup> groups;
  groups.reserve(gaps.size());
  for (auto& [key, gap] : gaps) groups.push_back(ControlGroup(clock_.WallNanos(), std::move(gap)));
  return AddBatches(view, PackBatches(groups));
}

absl::Status SqliteSpool::FindOldest(View* view) {
  CORDON_ASSIGN_OR_RETURN(const std::optional<int64_t> oldest, writer_.OldestTime());
  view->oldest_unix_nanos = oldest.value_or(0);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Batch>> SqliteSpool::Next(uint64_t after_sequence, size_t max_bytes) {
  const std::lock_guard lock(read_);
  absl::StatusOr<std::vector<v1::Batch>> batches = reader_.ReadAfter(after_sequence, max_bytes);
  if (absl::IsDataLoss(batches.status())) {
    const std::lock_guard memory(memory_);
    if (readable_.ok()) {
      readable_ = absl::DataLossError(
          StrCat(settings_.file.string(), " is damaged behind event ", after_sequence, " (",
                 Message(batches.status()),
                 "): nothing behind it is delivered; restart the agent, which sets the file aside"));
    }
  }
  return batches;
}

absl::Status SqliteSpool::Readable() const {
  const std::lock_guard lock(memory_);
  return readable_;
}

std::string SqliteSpool::ChainId() const {
  const std::lock_guard lock(memory_);
  return view_.state.chain_id;
}

SpoolStats SqliteSpool::Stats() const {
  const std::lock_guard lock(memory_);
  return {.bytes = view_.bytes,
          .limit_bytes = settings_.limit_bytes,
          .events = view_.events,
          .oldest_unix_nanos = view_.oldest_unix_nanos,
          .last_sequence = view_.state.next_sequence - 1,
          .acknowledged_sequence = acknowledged_,
          .dropped_events = view_.dropped_events};
}

}  // namespace cordon::agent
