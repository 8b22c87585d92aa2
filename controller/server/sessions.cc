#include "controller/server/sessions.h"

#include <algorithm>
#include <utility>

namespace cordon::controller {
namespace {

constexpr size_t kReplacedRuns = 8;  // remembered of a host

}  // namespace

Sessions::Opened Sessions::Open(const std::string& host_id, const std::string& session_id,
                                std::shared_ptr<SessionLink> link, int64_t now_unix_nanos) {
  Opened opened;
  {
    const std::lock_guard lock(mutex_);
    Session& session = by_host_[host_id];
    opened.older = std::move(session.link);
    opened.other_run = opened.older != nullptr && session.session_id != session_id;
    std::deque<std::string>& replaced = replaced_[host_id];
    opened.cloned = std::ranges::find(replaced, session_id) != replaced.end();
    if (opened.other_run) {
      replaced.push_back(session.session_id);
      if (replaced.size() > kReplacedRuns) replaced.pop_front();
    }
    if (replaced.empty()) replaced_.erase(host_id);
    session = {session_id, std::move(link), {now_unix_nanos, {}}};
  }
  if (opened.older) {
    opened.older->Drop(opened.other_run
                           ? "another run of this host's agent has connected: a restart, or a clone"
                           : "this run of the agent has connected again");
  }
  return opened;
}

bool Sessions::Close(const std::string& host_id, const SessionLink* link) {
  std::shared_ptr<SessionLink> last_reference;  // let go outside of the lock
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host_id);
  if (found == by_host_.end() || found->second.link.get() != link) return false;
  last_reference = std::move(found->second.link);
  left_.push_back({host_id, found->second.beat.time_unix_nanos});
  by_host_.erase(found);
  return true;
}

void Sessions::Beat(const std::string& host_id, const SessionLink* link, const v1::Heartbeat& beat,
                    int64_t now_unix_nanos) {
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host_id);
  if (found == by_host_.end() || found->second.link.get() != link) return;
  found->second.beat = {now_unix_nanos, beat};
}

std::vector<std::string> Sessions::Push(std::span<const std::string> host_ids,
                                        const std::shared_ptr<const ControlMessage>& message) {
  std::vector<std::pair<std::string, std::shared_ptr<SessionLink>>> connected;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& host_id : host_ids) {
      if (const auto found = by_host_.find(host_id); found != by_host_.end()) {
        connected.emplace_back(host_id, found->second.link);
      }
    }
  }
  std::vector<std::string> reached;
  for (auto& [host_id, link] : connected) {
    if (link->Push(message)) reached.push_back(std::move(host_id));
  }
  return reached;
}

std::optional<SessionBeat> Sessions::LastBeat(const std::string& host_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host_id);
  if (found == by_host_.end()) return std::nullopt;
  return found->second.beat;
}

std::vector<HostSeen> Sessions::Seen() {
  const std::lock_guard lock(mutex_);
  std::vector<HostSeen> seen = std::exchange(left_, {});
  for (const auto& [host_id, session] : by_host_) seen.push_back({host_id, session.beat.time_unix_nanos});
  return seen;
}

}  // namespace cordon::controller
