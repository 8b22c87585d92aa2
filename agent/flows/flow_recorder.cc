#include "agent/flows/flow_recorder.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/flows/dns_names.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kWriteEvery(30);
constexpr size_t kMostTold = 5'000;

}  // namespace

FlowRecorder::FlowRecorder(const Parts& parts, absl::StatusOr<FlowHistory> history)
    : parts_(parts), history_(std::move(history)) {
  if (parts_.events != nullptr) teller_.emplace(*parts_.events, parts_.clock);
}

FlowRecorder::~FlowRecorder() {
  Stop();
}

absl::Status FlowRecorder::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  const absl::Status started =
      parts_.source.Start([this](std::span<platform::RawFlow> flows) { Take(flows); });
  const absl::Status overhears = parts_.dns.Start([this](std::string_view message) { Overhear(message); });
  SetState(false, started.ok() ? "not proven yet" : std::string(Message(started)));
  const std::lock_guard lock(mutex_);
  source_error_ = started;
  dns_error_ = overhears;
  return started.ok() ? overhears : started;
}

void FlowRecorder::Stop() {
  if (!thread_.joinable()) return;
  parts_.source.Stop();
  parts_.dns.Stop();
  thread_.request_stop();
  thread_.join();
}

// On the source's thread.
void FlowRecorder::Take(std::span<platform::RawFlow> flows) {
  const std::lock_guard lock(queue_mutex_);
  for (platform::RawFlow& flow : flows) {
    // The agent's own traffic is no news; and no level cuts what stays on the host.
    if (IsCanary(flow.flow) || flow.flow.agent_owned || StaysOnHost(flow.flow)) continue;
    if (queue_.size() == kMaxQueued) {
      ++overflowed_;
    } else {
      queue_.push_back(std::move(flow));
    }
  }
  if (!queue_.empty()) queued_.notify_one();
}

// On the observer's thread. Anybody on the wire can send such a message: names are for people and for
// foresight.
void FlowRecorder::Overhear(std::string_view message) {
  const std::optional<SeenName> seen = ReadOverheardAnswer(message);
  if (!seen) return;
  for (const boost::asio::ip::address& address : seen->addresses) names_.Note(address, seen->name);
}

void FlowRecorder::Run(const std::stop_token& stop) {
  auto write_at = std::chrono::steady_clock::now() + kWriteEvery;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(queue_mutex_);
      queued_.wait_until(lock, stop, write_at, [this] { return !queue_.empty(); });
    }
    const std::lock_guard lock(mutex_);
    Identify();
    if (unwritten_.size() < kWriteAtKinds && std::chrono::steady_clock::now() < write_at) continue;
    Write();
    write_at = std::chrono::steady_clock::now() + kWriteEvery;
  }
  const std::lock_guard lock(mutex_);
  Identify();
  Write();
}

void FlowRecorder::Identify() {
  std::deque<platform::RawFlow> flows;
  {
    const std::lock_guard lock(queue_mutex_);
    flows.swap(queue_);
  }
  for (platform::RawFlow& raw : flows) Identify(std::move(raw));
  TellLosses();
}

void FlowRecorder::Identify(platform::RawFlow raw) {
  const uint32_t pid = raw.pid;
  const int64_t boottime_nanos = raw.boottime_nanos;
  const std::optional<ProcessRef> process =
      pid != 0 ? parts_.processes.Find(pid, boottime_nanos) : std::nullopt;
  KnownFlow known = Known(std::move(raw), process);
  if (teller_) teller_->Tell(known, process, pid, boottime_nanos);
  Sum(std::move(known));
}

void FlowRecorder::TellLosses() {
  if (!teller_) return;
  uint64_t overflowed = 0;
  {
    const std::lock_guard lock(queue_mutex_);
    overflowed = overflowed_;
  }
  teller_->TellLosses(parts_.source.Lost(), overflowed);
}

KnownFlow FlowRecorder::Known(platform::RawFlow raw, const std::optional<ProcessRef>& process) const {
  KnownFlow known;
  known.executable = std::move(raw.executable);
  if (known.executable.empty() && process) known.executable = process->executable;
  const int64_t seen = parts_.clock.WallNanos() - (parts_.clock.BootNanos() - raw.boottime_nanos);
  known.first_seen_unix_nanos = known.last_seen_unix_nanos = seen;
  known.times_seen = raw.times;
  known.names = names_.NamesOf(raw.flow.remote.address);
  known.flow = std::move(raw.flow);
  return known;
}

void FlowRecorder::Sum(KnownFlow known) {
  const Kind kind(known.executable, known.flow.direction, known.flow.protocol, known.flow.remote.address,
                  AcceptingPort(known.flow));
  const auto found = unwritten_.find(kind);
  if (found != unwritten_.end()) {
    KnownFlow& sum = found->second;
    sum.times_seen += known.times_seen;
    sum.first_seen_unix_nanos = std::min(sum.first_seen_unix_nanos, known.first_seen_unix_nanos);
    sum.last_seen_unix_nanos = std::max(sum.last_seen_unix_nanos, known.last_seen_unix_nanos);
    if (!known.names.empty()) sum.names = std::move(known.names);
  } else if (unwritten_.size() < kMaxUnwritten) {
    unwritten_.emplace(kind, std::move(known));
  } else {
    ++dropped_kinds_;
  }
}

void FlowRecorder::Write() {
  if (!history_.ok() || unwritten_.empty()) return;
  std::vector<KnownFlow> flows;
  flows.reserve(unwritten_.size());
  for (const auto& [kind, known] : unwritten_) flows.push_back(known);
  const absl::Status written = history_->Add(flows, parts_.clock.WallNanos());
  if (written.ok()) unwritten_.clear();
  if (!written.ok() && write_error_.ok()) spdlog::warn("flows: {}", Message(written));
  write_error_ = written;
}

// With queue_mutex_ held. Notes that it came.
bool FlowRecorder::IsCanary(const platform::Connection& flow) {
  std::optional<Endpoint>& waited_for =
      flow.protocol == platform::FlowProtocol::kTcp ? canary_.tcp : canary_.udp;
  if (!waited_for || flow.remote != *waited_for) return false;
  waited_for.reset();
  recognised_.notify_all();
  return true;
}

void FlowRecorder::Prove() {
  {
    const std::lock_guard lock(mutex_);
    if (!source_error_.ok()) return;  // State says so already
  }
  const auto traffic = platform::MakeOwnTraffic();
  if (!traffic.ok()) return SetState(false, StrCat("no canary: ", Message(traffic.status())));
  const platform::FlowSourceInfo info = parts_.source.Info();
  {
    const std::lock_guard lock(queue_mutex_);
    canary_.tcp = (*traffic)->Tcp();
    if (info.tells_udp) canary_.udp = (*traffic)->Udp();
  }
  if (const absl::Status happened = (*traffic)->Happen(); !happened.ok()) {
    return SetState(false, StrCat("no canary: ", Message(happened)));
  }
  parts_.source.Flush();
  const std::string missing = WaitForCanary();
  SetState(missing.empty(), missing.empty()
                                ? info.name
                                : StrCat("of traffic with itself the source ", info.name,
                                         " did not tell within ", kCanaryTimeout.count(), " s: ", missing));
}

// What did not come in time.
std::string FlowRecorder::WaitForCanary() {
  std::unique_lock lock(queue_mutex_);
  recognised_.wait_for(lock, kCanaryTimeout, [this] { return !canary_.tcp && !canary_.udp; });
  std::string missing = canary_.tcp ? "its TCP connection" : "";
  if (canary_.udp) StrAppend(&missing, missing.empty() ? "" : ", ", "its datagram");
  canary_ = {};
  return missing;
}

PartState FlowRecorder::State() const {
  const std::lock_guard lock(queue_mutex_);
  return state_;
}

void FlowRecorder::SetState(bool serving, std::string detail) {
  const std::lock_guard lock(queue_mutex_);
  state_.serving = serving;
  state_.detail = std::move(detail);
  if (serving) state_.last_proof_unix_nanos = parts_.clock.WallNanos();
}

std::vector<KnownFlow> FlowRecorder::Past() {
  parts_.source.Flush();
  const std::lock_guard lock(mutex_);
  Identify();
  Write();
  std::vector<KnownFlow> flows;
  flows.reserve(unwritten_.size());
  for (const auto& [kind, known] : unwritten_) flows.push_back(known);
  if (!history_.ok()) return flows;
  absl::StatusOr<std::vector<KnownFlow>> kept = history_->Recent(kMostTold);
  if (!kept.ok()) write_error_ = kept.status();
  if (kept.ok()) std::ranges::move(*kept, std::back_inserter(flows));
  return flows;
}

int64_t FlowRecorder::SinceUnixNanos() const {
  const std::lock_guard lock(mutex_);
  return history_.ok() ? history_->SinceUnixNanos(parts_.clock.WallNanos()) : 0;
}

std::vector<std::string> FlowRecorder::Notes() const {
  std::vector<std::string> notes;
  const std::lock_guard lock(mutex_);
  if (!source_error_.ok()) {
    notes.push_back(StrCat("New flows are not seen: ", Message(source_error_)));
  } else {
    notes = parts_.source.Info().limitations;
  }
  notes.push_back(dns_error_.ok() ? "Names that were resolved over TCP, TLS or HTTPS are not known."
                                  : StrCat("Names are not seen: ", Message(dns_error_)));
  if (!history_.ok()) notes.push_back(StrCat("There is no history of flows: ", Message(history_.status())));
  if (!write_error_.ok()) notes.push_back(StrCat("The history is not complete: ", Message(write_error_)));
  uint64_t lost = parts_.source.Lost() + dropped_kinds_;
  {
    const std::lock_guard queue_lock(queue_mutex_);
    lost += overflowed_;
  }
  if (lost > 0) notes.push_back(StrCat(lost, " flows came too fast to be noted since the agent started."));
  return notes;
}

}  // namespace cordon::agent
