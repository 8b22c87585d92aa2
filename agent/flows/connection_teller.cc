#include "agent/flows/connection_teller.h"

#include <algorithm>
#include <utility>

#include "common/base/address_bytes.h"
#include "common/base/text.h"

namespace cordon::agent {

std::optional<uint32_t> ToldConnections::Note(const Kind& kind, uint32_t times, int64_t boottime_nanos) {
  const auto found = entries_.find(kind);
  if (found == entries_.end()) {
    if (entries_.size() == kMost) {
      entries_.erase(by_age_.front());
      by_age_.pop_front();
    }
    by_age_.push_back(kind);
    entries_.emplace(kind, Entry{.told_boottime_nanos = boottime_nanos, .age = std::prev(by_age_.end())});
    return std::max(times, 1U);
  }
  Entry& entry = found->second;
  by_age_.splice(by_age_.end(), by_age_, entry.age);
  entry.times_since += times;
  if (times == 0 || boottime_nanos - entry.told_boottime_nanos < kAgainNanos) return std::nullopt;
  entry.told_boottime_nanos = boottime_nanos;
  return std::exchange(entry.times_since, 0);
}

ConnectionTeller::ConnectionTeller(EventSink& sink, const Clock& clock)
    : sink_(sink), clock_(clock), looked_unix_nanos_(clock.WallNanos()) {}

void ConnectionTeller::Tell(const KnownFlow& known, const std::optional<ProcessRef>& process, uint32_t pid,
                            int64_t boottime_nanos) {
  const platform::Connection& flow = known.flow;
  const std::optional<uint32_t> times = told_.Note({.who = process ? process->guid : known.executable,
                                                    .direction = flow.direction,
                                                    .protocol = flow.protocol,
                                                    .remote = flow.remote.address,
                                                    .port = AcceptingPort(flow)},
                                                   static_cast<uint32_t>(known.times_seen), boottime_nanos);
  if (!times) return;
  constexpr uint32_t kTcp = 6;
  constexpr uint32_t kUdp = 17;
  v1::Event event;
  v1::Connection& told = *event.mutable_connection();
  told.set_direction(flow.direction == platform::FlowDirection::kIn ? v1::Connection::DIRECTION_IN
                                                                    : v1::Connection::DIRECTION_OUT);
  told.set_protocol(flow.protocol == platform::FlowProtocol::kTcp ? kTcp : kUdp);
  told.set_remote_address(AddressBytes(flow.remote.address));
  told.set_port(AcceptingPort(flow));
  if (!known.names.empty()) told.set_remote_name(EscapeToUtf8(known.names.front()));
  if (process) {
    told.set_process_guid(process->guid);
    told.set_uid(process->uid);
  }
  told.set_pid(pid);
  told.set_executable(EscapeToUtf8(known.executable));
  told.set_times(*times);
  sink_.Emit(v1::EVENT_CLASS_PROCESS, known.last_seen_unix_nanos, std::move(event));
}

void ConnectionTeller::TellLosses(uint64_t in_kernel, uint64_t in_queue) {
  const int64_t now = clock_.WallNanos();
  const uint64_t new_in_kernel = in_kernel - std::exchange(lost_in_kernel_, in_kernel);
  const uint64_t new_in_queue = in_queue - std::exchange(lost_in_queue_, in_queue);
  if (new_in_kernel > 0) EmitGap(v1::Gap::CAUSE_KERNEL_BUFFER_FULL, new_in_kernel, now);
  if (new_in_queue > 0) EmitGap(v1::Gap::CAUSE_QUEUE_FULL, new_in_queue, now);
  looked_unix_nanos_ = now;
}

void ConnectionTeller::EmitGap(v1::Gap::Cause cause, uint64_t count, int64_t until_unix_nanos) {
  v1::Event event;
  v1::Gap& gap = *event.mutable_gap();
  gap.set_cause(cause);
  gap.set_event_class(v1::EVENT_CLASS_PROCESS);
  gap.set_count(count);
  gap.set_count_is_bound(true);  // some would have been repeats
  gap.set_first_time_unix_nanos(looked_unix_nanos_);
  gap.set_last_time_unix_nanos(until_unix_nanos);
  gap.set_detail("connections that came too fast to be noted");
  sink_.Emit(v1::EVENT_CLASS_CONTROL, until_unix_nanos, std::move(event));
}

}  // namespace cordon::agent
