#include "agent/rehearsal/rehearser.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {

Rehearser::Rehearser(Parts parts)
    : parts_(std::move(parts)), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Rehearser::~Rehearser() = default;

void Rehearser::Rehearse(v1::IsolateAction action, platform::FilterPolicy policy, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < kMaxWaiting) {
      waiting_.push_back({std::move(action), std::move(policy), std::move(done)});
      asked_.notify_one();
      return;
    }
  }
  done(absl::ResourceExhaustedError("the host rehearses for others already: ask again in a moment"));
}

void Rehearser::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (asked_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    if (stop.stop_requested()) return;
    const Question question = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    question.done(Answer(question));
    lock.lock();
  }
}

absl::StatusOr<std::vector<KnownFlow>> Rehearser::Live() {
  CORDON_ASSIGN_OR_RETURN(const std::vector<platform::Connection> connections, parts_.connections->List());
  std::unordered_set<uint64_t> keys;
  for (const platform::Connection& connection : connections) keys.insert(connection.owner_key);
  keys.erase(0);
  const auto owners = parts_.owners_of(keys);
  std::vector<KnownFlow> flows;
  flows.reserve(connections.size());
  for (const platform::Connection& connection : connections) {
    if (connection.owner_key == 0) continue;  // nobody holds it: it is closing, or not accepted yet
    KnownFlow& known = flows.emplace_back();
    known.flow = connection;
    const auto owner = owners.find(connection.owner_key);
    if (owner != owners.end()) known.executable = owner->second.executable;
    known.live = true;
    known.times_seen = 1;
    known.first_seen_unix_nanos = known.last_seen_unix_nanos = parts_.clock.WallNanos();
  }
  return flows;
}

// What an address was called, by whichever flow and whenever, goes for every flow to it.
void Rehearser::AddNames(std::vector<KnownFlow>* flows) const {
  std::map<boost::asio::ip::address, std::vector<std::string>> names;
  for (const KnownFlow& known : *flows) {
    const auto [found, added] = names.try_emplace(known.flow.remote.address);
    if (added) found->second = parts_.memory->NamesOf(known.flow.remote.address);
    for (const std::string& name : known.names) {
      if (std::ranges::find(found->second, name) == found->second.end()) found->second.push_back(name);
    }
  }
  for (KnownFlow& known : *flows) known.names = names[known.flow.remote.address];
}

// A rule that gives a program's SHA-256 lets nobody pass when another file stands at the path.
void Rehearser::ShutOutOthers(platform::FilterPolicy* policy, v1::Rehearsal* rehearsal) const {
  for (platform::ProgramIdentity& program : policy->programs) {
    if (program.sha256.empty()) continue;
    const absl::Status same = parts_.check_program(program);
    if (same.ok()) continue;
    rehearsal->add_notes(StrCat("A rule for a program would let nobody pass: ", Message(same), "."));
    program.path.clear();
  }
}

absl::StatusOr<v1::Rehearsal> Rehearser::Answer(const Question& question) {
  CORDON_ASSIGN_OR_RETURN(std::vector<KnownFlow> flows, Live());
  if (parts_.memory != nullptr) {
    for (KnownFlow& past : parts_.memory->Past()) flows.push_back(std::move(past));
    AddNames(&flows);
  }
  v1::Rehearsal rehearsal;
  platform::FilterPolicy policy = question.policy;
  ShutOutOthers(&policy, &rehearsal);
  rehearsal.MergeFrom(Forecast(question.action, std::move(policy), MergeKinds(std::move(flows))));
  if (parts_.memory == nullptr) {
    rehearsal.add_notes("This host keeps no history of flows: only what is open now was looked at.");
    return rehearsal;
  }
  rehearsal.set_history_since_unix_nanos(parts_.memory->SinceUnixNanos());
  for (std::string& note : parts_.memory->Notes()) rehearsal.add_notes(std::move(note));
  return rehearsal;
}

}  // namespace cordon::agent
