#include "agent/process/process_sensor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {
namespace {

// In a storm something is due at every moment: then it is told in groups, and the tracker's lock is taken
// seldom.
constexpr int64_t kShortestRestNanos = 50 * kNanosPerMilli;

std::string Joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) StrAppend(&text, text.empty() ? "" : " ", sentence);
  return text;
}

std::string FactsInWords(uint8_t facts) {
  constexpr std::array<std::pair<uint8_t, std::string_view>, 5> kWords = {
      {{kSawFork, "its fork"},
       {kSawExec, "its start"},
       {kSawEnd, "its end"},
       {kSawPrivilegeChange, "its change of privileges"},
       {kSawTrace, "that it was traced"}}};
  std::string text;
  for (const auto& [fact, words] : kWords) {
    if ((facts & fact) != 0) StrAppend(&text, text.empty() ? "" : ", ", words);
  }
  return text;
}

}  // namespace

ProcessSensor::ProcessSensor(platform::ProcessSource& source, EventSink& sink, const Clock& clock,
                             std::string host_id, std::string boot_id, uint32_t fold_over)
    : source_(source),
      sink_(sink),
      clock_(clock),
      tracker_(sink, clock, std::move(host_id), std::move(boot_id),
               {.agent_pid = platform::OwnPid(), .fold_over = fold_over}) {
  state_.detail = "not started";
}

ProcessSensor::~ProcessSensor() {
  Stop();
}

absl::Status ProcessSensor::Start() {
  const absl::Status status =
      source_.Start([this](std::span<platform::RawProcessEvent> events) { Deliver(events); });
  if (!status.ok()) {
    EmitGap(v1::Gap::CAUSE_SENSOR_DOWN, std::string(Message(status)));
    SetState(false, std::string(Message(status)));
    return status;
  }
  const platform::ProcessSourceInfo info = source_.Info();
  if (info.fallback)
    EmitGap(v1::Gap::CAUSE_FALLBACK_SENSOR, StrCat(info.name, ": ", Joined(info.limitations)));
  SetState(false, "not proven yet");
  const std::lock_guard lock(mutex_);
  running_ = true;
  settler_ = std::jthread([this](const std::stop_token& stop) { SettleInTime(stop); });
  return absl::OkStatus();
}

void ProcessSensor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!running_) return;
    running_ = false;
    state_.serving = false;
    state_.detail = "stopped";
  }
  source_.Stop();
  settler_.request_stop();
  settler_.join();
  tracker_.Finish();
}

void ProcessSensor::Deliver(std::span<platform::RawProcessEvent> events) {
  tracker_.Handle(events);
  const std::lock_guard lock(mutex_);
  if (!std::exchange(work_for_settler_, true)) settle_.notify_one();
  delivered_.notify_all();
}

// Sleeps while nothing waits to be told, and else until the first is due.
void ProcessSensor::SettleInTime(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::optional<int64_t> due = tracker_.Settle();
    std::unique_lock lock(mutex_);
    if (!due.has_value()) {
      settle_.wait(lock, stop, [this] { return std::exchange(work_for_settler_, false); });
      continue;
    }
    // A second at the most: meanwhile something may have come that is due earlier.
    const auto rest = std::chrono::nanoseconds(
        std::clamp<int64_t>(*due - clock_.BootNanos(), kShortestRestNanos, kNanosPerSecond));
    settle_.wait_for(lock, stop, rest, [] { return false; });
  }
}

std::optional<ProcessRef> ProcessSensor::Find(uint32_t pid, int64_t boottime_nanos) const {
  bool may_be_unread = false;
  {
    const std::lock_guard lock(mutex_);
    may_be_unread = running_ && boottime_nanos > known_until_;
  }
  if (may_be_unread) {
    const int64_t before = clock_.BootNanos();
    source_.Flush();
    const std::lock_guard lock(mutex_);
    known_until_ = std::max(known_until_, before);
  }
  return tracker_.Find(pid, source_.StartTimeAt(boottime_nanos));
}

void ProcessSensor::Prove() {
  {
    const std::lock_guard lock(mutex_);
    if (!running_) return;
  }
  source_.Flush();  // a canary that is born while the source looks around would be told by that look
  const int64_t begin = clock_.BootNanos();
  const uint64_t lost_before = lost_at_proof_.exchange(Lost());
  const absl::StatusOr<platform::TinyRun> run = platform::RunTinyProgram();
  if (!run.ok()) return SetState(false, StrCat("no canary: ", Message(run.status())));
  const platform::ProcessSourceInfo info = source_.Info();
  uint8_t wanted = kSawFork | kSawExec | kSawEnd;
  if (info.tells_privilege_changes && run->changed_privileges) wanted |= kSawPrivilegeChange;
  if (info.tells_traces && run->was_traced) wanted |= kSawTrace;
  const Missing missing = WaitForFactsOf(run->pid, begin, wanted);
  std::string detail = missing.facts == 0 ? info.name
                                          : StrCat("of a canary process (pid ", run->pid, ") the source ",
                                                   info.name, " did not tell within ", kCanaryTimeout.count(),
                                                   " s: ", FactsInWords(missing.facts));
  if (missing.held_up) detail += "; its reader is held up, because events are not taken from it";
  if (const uint64_t lost = Lost() - lost_before; lost > 0) {
    StrAppend(&detail, "; ", lost, " records did not fit into the kernel's buffer since the last proof");
  }
  if (!info.limitations.empty()) StrAppend(&detail, ": ", Joined(info.limitations));
  SetState(missing.facts == 0, std::move(detail));
}

ProcessSensor::Missing ProcessSensor::WaitForFactsOf(uint32_t pid, int64_t since_boottime_nanos,
                                                     uint8_t wanted) {
  Missing missing{.facts = wanted};
  std::unique_lock lock(mutex_);
  // tracker_ never calls back here, so its lock is taken inside of ours.
  delivered_.wait_for(lock, kCanaryTimeout, [&] {
    const std::optional<uint8_t> seen = tracker_.SeenOf(pid, since_boottime_nanos);
    missing = {.facts = static_cast<uint8_t>(wanted & ~seen.value_or(0)), .held_up = !seen.has_value()};
    return missing.facts == 0;
  });
  return missing;
}

PartState ProcessSensor::State() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void ProcessSensor::SetState(bool serving, std::string detail) {
  const std::lock_guard lock(mutex_);
  state_.serving = serving;
  state_.detail = std::move(detail);
  if (serving) state_.last_proof_unix_nanos = clock_.WallNanos();
}

void ProcessSensor::EmitGap(v1::Gap::Cause cause, std::string detail) {
  const int64_t now = clock_.WallNanos();
  v1::Event event;
  v1::Gap& gap = *event.mutable_gap();
  gap.set_cause(cause);
  gap.set_event_class(v1::EVENT_CLASS_PROCESS);
  gap.set_count_unknown(true);
  gap.set_first_time_unix_nanos(now);
  gap.set_last_time_unix_nanos(now);
  gap.set_detail(std::move(detail));
  sink_.Emit(v1::EVENT_CLASS_CONTROL, now, std::move(event));
}

}  // namespace cordon::agent
