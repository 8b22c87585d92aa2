// Where host and controller stand in the chain, and when it begins anew.

#include <algorithm>
#include <utility>

#include "agent/spool/batch_packer.h"
#include "agent/spool/queue_events.h"
#include "agent/spool/sqlite_spool.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/batch_hash.h"

namespace cordon::agent {
namespace {

constexpr int kMaxSegmentsAhead = 16;

// The highest number that the controller has of any kind.
uint64_t HighestNumber(const v1::TelemetryPosition& controller) {
  uint64_t highest = controller.acknowledged_sequence();
  for (const v1::Segment& segment : controller.ahead()) highest = std::max(highest, segment.last_sequence());
  return highest;
}

// AUT-6. A chain that begins anew goes on behind the controller's highest number, so one near the end of all
// numbers would stop this host's telemetry for good. However far this host was set back, it was not by more
// than kFarthest events: two thousand years of a thousand a minute.
absl::Status CheckPosition(const v1::TelemetryPosition& controller, uint64_t next_sequence) {
  constexpr uint64_t kFarthest = uint64_t{1} << 40;
  const absl::Status bad = absl::InvalidArgumentError("the controller's position is out of bounds");
  if (controller.ahead_size() > kMaxSegmentsAhead) return bad;
  if (HighestNumber(controller) > next_sequence - 1 + kFarthest) return bad;
  uint64_t before = controller.acknowledged_sequence();
  for (const v1::Segment& segment : controller.ahead()) {
    if (segment.first_sequence() <= before + 1 || segment.last_sequence() < segment.first_sequence())
      return bad;
    before = segment.last_sequence();
  }
  return absl::OkStatus();
}

// What the two do not agree on. Numbers that this host has forgotten, because the controller had acknowledged
// them, and that the controller does not have, are lost; they have a count (TEL-1).
v1::Gap SetbackGap(const v1::TelemetryPosition& controller, const QueueState& state, int64_t now) {
  const uint64_t theirs = controller.acknowledged_sequence();
  const bool same_chain = controller.chain_id() == state.chain_id;
  const std::string has =
      StrCat("the controller has this host's events up to ", theirs, " of chain ",
             controller.chain_id().empty() ? "none" : Printable(controller.chain_id()), ", and the host ");
  v1::Gap gap = UnknownGap(v1::Gap::CAUSE_STATE_DAMAGED, 0, now, "");
  if (theirs < state.acknowledged) {
    gap.set_count_unknown(false);
    gap.set_first_sequence(theirs + 1);
    gap.set_count(state.acknowledged - theirs);
    gap.set_count_is_bound(!same_chain);  // numbers of other chains may lie between
    gap.set_detail(StrCat(has, "was told up to ", state.acknowledged, " of chain ", state.chain_id,
                          ": the controller's store was set back, and events ", theirs + 1, "-",
                          state.acknowledged, " are lost with what it had. A new chain begins"));
  } else {
    gap.set_detail(
        StrCat(has, "has given out up to ", state.next_sequence - 1, " of chain ", state.chain_id,
               ": the host's queue was set back, and what it held and had not delivered is lost. A "
               "new chain begins"));
  }
  return gap;
}

}  // namespace

// What the controller is known to have without what comes before it.
SqliteSpool::Stored SqliteSpool::StoredAhead() const {
  return [this](const QueuedBatch& queued) {
    if (queued.Delivered()) return true;
    const std::lock_guard memory(memory_);
    return std::ranges::any_of(ahead_, [&](const Run& run) {
      return queued.batch.first_sequence() >= run.first && LastSequence(queued.batch) <= run.last;
    });
  };
}

// What is in the queue, but for what is `stored` already, gets new numbers from `first_sequence` and a chain
// of its own.
absl::Status SqliteSpool::BeginChain(View* view, uint64_t first_sequence, const Stored& stored) {
  QueueState& state = view->state;
  state.chain_id = NewUuid();
  state.chain_first = first_sequence;
  state.acknowledged = first_sequence - 1;
  state.next_sequence = first_sequence;
  state.last_hash = FirstPreviousHash();
  return writer_.ForEach([&](const QueuedBatch& queued) -> absl::Status {
    if (stored(queued)) return Remove(view, queued);
    v1::Batch header = queued.batch;
    // The controller had it, this host let go of it, and the controller has lost it: a gap (TEL-1).
    if (queued.Delivered()) header.set_dropped(v1::Gap::CAUSE_STATE_DAMAGED);
    header.set_first_sequence(state.next_sequence);
    header.set_chain_id(state.chain_id);
    header.set_previous_hash(state.last_hash);
    state.last_hash = BatchHash(settings_.host_id, header);
    state.next_sequence += header.event_count();
    return writer_.ReplaceHeader(queued.id, header);
  });
}

absl::Status SqliteSpool::Acknowledge(const std::string& chain_id, uint64_t first_sequence,
                                      uint64_t last_sequence) {
  const std::lock_guard lock(memory_);
  if (chain_id != view_.state.chain_id) {
    return absl::FailedPreconditionError(
        StrCat("acknowledgement for chain ", Printable(chain_id), ", and this is ", view_.state.chain_id));
  }
  if (last_sequence >= view_.state.next_sequence || first_sequence > last_sequence) {
    return absl::FailedPreconditionError(StrCat("acknowledgement of ", first_sequence, "-", last_sequence,
                                                ", and only ", view_.state.next_sequence - 1,
                                                " were given out"));
  }
  if (first_sequence <= acknowledged_ + 1) {
    acknowledged_ = std::max(acknowledged_, last_sequence);
    std::erase_if(ahead_, [&](const Run& run) { return run.last <= acknowledged_; });
    return absl::OkStatus();
  }
  Run merged{first_sequence, last_sequence, 0};
  const auto within = std::ranges::count_if(
      ahead_, [&](const Run& run) { return run.first >= merged.first && run.last <= merged.last; });
  // AUT-6: every write asks for each run.
  if (std::ssize(ahead_) - within >= kMaxSegmentsAhead) {
    return absl::FailedPreconditionError(StrCat("acknowledgement of ", first_sequence, "-", last_sequence,
                                                ", which would make more than ", kMaxSegmentsAhead,
                                                " segments ahead of the backlog"));
  }
  std::erase_if(ahead_, [&](const Run& run) {
    if (run.first < merged.first || run.last > merged.last) return false;
    if (run.first == merged.first) merged.forgotten = run.forgotten;
    return true;
  });
  ahead_.insert(std::ranges::upper_bound(ahead_, merged.first, {}, &Run::first), merged);
  return absl::OkStatus();
}

// The batch that ends with `last_sequence` has this hash.
absl::StatusOr<bool> SqliteSpool::EndsAs(uint64_t last_sequence, const std::string& hash) {
  CORDON_ASSIGN_OR_RETURN(const std::optional<std::string> ours, writer_.HashAt(last_sequence));
  return ours.value_or(view_.state.last_hash) == hash;
}

// True when what the controller has is of this chain as this host has it, or it has nothing of it and nothing
// of it is gone. What was acknowledged and is still on disk counts as there: it can be sent again.
absl::StatusOr<bool> SqliteSpool::Agrees(const v1::TelemetryPosition& controller) {
  const QueueState& state = view_.state;
  const uint64_t last = controller.acknowledged_sequence();
  if (controller.chain_id() != state.chain_id) {
    return state.acknowledged == state.chain_first - 1 && state.chain_first > HighestNumber(controller);
  }
  if (last < state.acknowledged || HighestNumber(controller) >= state.next_sequence) return false;
  if (!controller.last_hash().empty()) {
    CORDON_ASSIGN_OR_RETURN(const bool same, EndsAs(last, controller.last_hash()));
    if (!same) return false;
  }
  for (const v1::Segment& segment : controller.ahead()) {
    CORDON_ASSIGN_OR_RETURN(const bool same, EndsAs(segment.last_sequence(), segment.last_hash()));
    CORDON_ASSIGN_OR_RETURN(const std::optional<QueuedBatch> first, writer_.Find(segment.first_sequence()));
    if (!same || !first.has_value()) return false;
  }
  return true;
}

absl::StatusOr<uint64_t> SqliteSpool::Reconcile(const v1::TelemetryPosition& controller) {
  {
    const std::lock_guard write(write_);
    CORDON_RETURN_IF_ERROR(CheckPosition(controller, view_.state.next_sequence));
    CORDON_ASSIGN_OR_RETURN(const bool agrees, Agrees(controller));
    const std::lock_guard memory(memory_);
    // Back to what is on disk, where the controller has less than it said: that can be sent again.
    acknowledged_ = view_.state.acknowledged;
    ahead_.clear();
    if (agrees) {
      if (controller.chain_id() != view_.state.chain_id) return acknowledged_;
      acknowledged_ = controller.acknowledged_sequence();
      for (const v1::Segment& segment : controller.ahead())
        ahead_.push_back({segment.first_sequence(), segment.last_sequence(), 0});
      return acknowledged_;
    }
  }
  CORDON_RETURN_IF_ERROR(BeginChainAfterSetback(controller));
  const std::lock_guard memory(memory_);
  return acknowledged_;
}

absl::Status SqliteSpool::BeginChainAfterSetback(const v1::TelemetryPosition& controller) {
  const int64_t now = clock_.WallNanos();
  return Write([&](View* view) -> absl::Status {
    const QueueState& state = view->state;
    const bool same_chain = controller.chain_id() == state.chain_id;
    const uint64_t first = std::max(HighestNumber(controller), state.next_sequence - 1) + 1;
    const v1::Gap gap = SetbackGap(controller, state, now);
    CORDON_RETURN_IF_ERROR(BeginChain(view, first, [&](const QueuedBatch& queued) {
      return same_chain && std::ranges::any_of(controller.ahead(), [&](const v1::Segment& segment) {
               return queued.batch.first_sequence() >= segment.first_sequence() &&
                      LastSequence(queued.batch) <= segment.last_sequence() && queued.Delivered();
             });
    }));
    return AddBatches(view, PackBatches({ControlGroup(now, gap)}));
  });
}

absl::Status SqliteSpool::GiveUp(uint64_t first_sequence, const std::string& reason) {
  return Write([&](View* view) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const std::optional<QueuedBatch> refused, writer_.Find(first_sequence));
    if (!refused.has_value()) return absl::OkStatus();  // acknowledged or renumbered meanwhile
    const v1::Batch& batch = refused->batch;
    v1::Gap gap;
    gap.set_cause(v1::Gap::CAUSE_STATE_DAMAGED);
    gap.set_event_class(batch.event_class());
    gap.set_first_sequence(first_sequence);
    gap.set_count(refused->payload_bytes > 0 ? batch.event_count() : 0);
    gap.set_first_time_unix_nanos(batch.first_time_unix_nanos());
    gap.set_last_time_unix_nanos(batch.last_time_unix_nanos());
    gap.set_detail(StrCat("the controller refuses the batch: ", Printable(reason)));
    CORDON_RETURN_IF_ERROR(refused->payload_bytes > 0
                               ? Drop(view, *refused, v1::Gap::CAUSE_STATE_DAMAGED)
                               : BeginChain(view, view->state.next_sequence, StoredAhead()));
    return AddBatches(view, PackBatches({ControlGroup(clock_.WallNanos(), std::move(gap))}));
  });
}

}  // namespace cordon::agent
