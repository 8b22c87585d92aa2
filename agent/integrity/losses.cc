#include "agent/integrity/losses.h"

#include <algorithm>
#include <utility>

namespace cordon::agent {

void Losses::Add(const platform::RawFileEvent& overflow, int64_t since, int64_t now) {
  Loss loss{.count = overflow.lost_count,
            .count_unknown = overflow.lost_count == 0,
            .since_boottime_nanos = since,
            .until_boottime_nanos = now,
            .path = overflow.path,
            .because = std::string(overflow.lost_because),
            .reads = overflow.lost_reads,
            .while_away = overflow.while_away};
  if (loss.while_away) {
    at_once_.push_back(std::move(loss));
    return;
  }
  std::optional<Loss>& pending = lanes_[loss.reads ? kReads : kChanges].pending;
  if (pending.has_value()) {
    Merge(loss, &*pending);
  } else {
    pending = std::move(loss);
  }
}

// Wide enough for both.
void Losses::Merge(const Loss& loss, Loss* into) {
  into->count += loss.count;
  into->count_unknown = into->count_unknown || loss.count_unknown;
  into->since_boottime_nanos = std::min(into->since_boottime_nanos, loss.since_boottime_nanos);
  into->until_boottime_nanos = std::max(into->until_boottime_nanos, loss.until_boottime_nanos);
  if (into->path != loss.path) into->path.clear();
  if (into->because != loss.because) into->because.clear();
}

std::vector<Loss> Losses::TakeDue(int64_t now) {
  std::vector<Loss> due = std::exchange(at_once_, {});
  for (Lane& lane : lanes_) {
    if (!lane.pending.has_value() || lane.due > now) continue;
    due.push_back(std::move(*lane.pending));
    lane.pending.reset();
    lane.due = now + pause_nanos_;
  }
  return due;
}

std::vector<Loss> Losses::TakeAll() {
  std::vector<Loss> all = std::exchange(at_once_, {});
  for (Lane& lane : lanes_) {
    if (lane.pending.has_value()) all.push_back(std::move(*lane.pending));
    lane.pending.reset();
  }
  return all;
}

std::optional<int64_t> Losses::NextDue() const {
  std::optional<int64_t> next;
  if (!at_once_.empty()) next = at_once_.front().until_boottime_nanos;
  for (const Lane& lane : lanes_) {
    if (lane.pending.has_value() && (!next.has_value() || lane.due < *next)) next = lane.due;
  }
  return next;
}

}  // namespace cordon::agent
