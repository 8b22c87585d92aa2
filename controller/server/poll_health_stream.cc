#include "controller/server/poll_health_stream.h"

#include <set>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/rpc/status.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr int64_t kDefaultTimeoutNanos = 5 * kNanosPerSecond;
constexpr size_t kAtATime = 256;

v1::PollHealthResponse NotAnswered(v1::Host host, std::string error) {
  v1::PollHealthResponse response;
  *response.mutable_host() = std::move(host);
  response.set_error(std::move(error));
  return response;
}

}  // namespace

PollHealthStream::PollHealthStream(grpc::CallbackServerContext& context, ServerParts& parts, Identity caller,
                                   v1::PollHealthRequest request)
    : OutStream(context, parts.streams),
      parts_(parts),
      caller_(std::move(caller)),
      request_(std::move(request)) {}

void PollHealthStream::Start() {
  parts_.workers.Post([self = shared_from_this()] { self->Ask(); });
}

void PollHealthStream::Ask() {
  absl::StatusOr<std::vector<v1::Host>> hosts = HostsForHealthPoll(parts_, caller_, request_);
  if (!hosts.ok()) {
    EndNow(ToGrpcStatus(hosts.status()));
    return;
  }
  std::vector<std::string> host_ids;
  for (const v1::Host& host : *hosts) host_ids.push_back(host.host_id());
  auto poll = std::make_shared<v1::ControlResponse>();
  poll->mutable_health_poll()->set_poll_id(parts_.polls.Start(shared_from_this()));
  poll->mutable_health_poll()->set_prove(request_.prove());
  {
    const std::lock_guard lock(mutex_);
    hosts_ = static_cast<uint32_t>(hosts->size());
    asked_boot_nanos_ = parts_.clock.BootNanos();
    timeout_nanos_ = request_.timeout_nanos() == 0 ? kDefaultTimeoutNanos : request_.timeout_nanos();
    for (v1::Host& host : *hosts) waiting_.emplace(host.host_id(), std::move(host));
  }
  const std::vector<std::string> asked = parts_.sessions.Push(host_ids, poll);
  const std::set<std::string> reached(asked.begin(), asked.end());
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& host_id : host_ids) {
      const auto found = waiting_.find(host_id);
      if (reached.contains(host_id) || found == waiting_.end()) continue;
      to_send_.push_back(NotAnswered(std::move(found->second), "the host is not connected"));
      waiting_.erase(found);
    }
  }
  SendSome();
}

void PollHealthStream::OnHealth(const std::string& host_id, const v1::HealthReport& report) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(host_id);
    if (found == waiting_.end()) return;  // not asked, answered already, or too late
    v1::PollHealthResponse& response = to_send_.emplace_back();
    *response.mutable_host() = std::move(found->second);
    response.set_answered(true);
    response.set_round_trip_nanos(parts_.clock.BootNanos() - asked_boot_nanos_);
    *response.mutable_report() = report;
    waiting_.erase(found);
  }
  SendSome();
}

void PollHealthStream::OnTick(int64_t now_boot_nanos) {
  {
    const std::lock_guard lock(mutex_);
    if (asked_boot_nanos_ == 0 || waiting_.empty() || now_boot_nanos - asked_boot_nanos_ < timeout_nanos_)
      return;
    for (auto& [host_id, host] : waiting_) {
      to_send_.push_back(
          NotAnswered(std::move(host), StrCat("no answer in ", FormatDuration(timeout_nanos_))));
    }
    waiting_.clear();
  }
  SendSome();
}

void PollHealthStream::OnDrained() {
  {
    const std::lock_guard lock(mutex_);
    sending_ = false;
  }
  SendSome();
}

// Sends under the lock, so that the end cannot overtake an answer.
void PollHealthStream::SendSome() {
  const std::lock_guard lock(mutex_);
  if (sending_) return;
  for (size_t sent = 0; sent < kAtATime && !to_send_.empty(); ++sent) {
    sending_ = true;
    to_send_.back().set_hosts(hosts_);
    Send(std::move(to_send_.back()));
    to_send_.pop_back();
  }
  if (asked_boot_nanos_ != 0 && waiting_.empty() && to_send_.empty()) End(grpc::Status::OK);
}

}  // namespace cordon::controller
