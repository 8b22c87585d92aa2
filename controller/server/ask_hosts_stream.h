#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/x509.h"
#include "common/rpc/status.h"
#include "controller/server/answer_stream.h"
#include "controller/server/feeds.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

// One question to each host of a target: one message per host, as it answers or when it cannot any more. What
// is asked, the call says:
//
//   struct Call {
//     using Request, Response, Answer;
//     static int64_t DefaultTimeoutNanos(const Request&);
//     static constexpr size_t kAskedAtATime;  // bounds the answers that are in memory
//     static constexpr size_t kSentAtATime;
//     static absl::StatusOr<std::vector<v1::Host>> Hosts(ServerParts&, const Identity& caller, const
//     Request&); static AnswerFeed<Answer>& Feed(ServerParts&); static void Ask(const Request&, uint64_t id,
//     v1::ControlResponse* question); static void Fill(const Answer&, int64_t round_trip_nanos, Response*);
//   };
template <typename Call>
class AskHostsStream final : public AnswerStream<typename Call::Response>,
                             public AnswerListener<typename Call::Answer>,
                             public std::enable_shared_from_this<AskHostsStream<Call>> {
 public:
  using Request = typename Call::Request;
  using Response = typename Call::Response;
  using Answer = typename Call::Answer;
  using Stream = AnswerStream<Response>;

  AskHostsStream(grpc::CallbackServerContext& context, ServerParts& parts, Identity caller, Request request)
      : Stream(context, parts.streams),
        parts_(parts),
        caller_(std::move(caller)),
        request_(std::move(request)) {}

  // Call once, after the stream was added to LiveStreams.
  void Start() {
    parts_.operators.Post([self = this->shared_from_this()] { self->Begin(); });
  }

  void OnAnswer(const std::string& host_id, const Answer& answer) override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = waiting_.find(host_id);
      if (found == waiting_.end()) return;  // not asked, answered already, or too late
      Response& response = to_send_.emplace_back();
      *response.mutable_host() = std::move(found->second.host);
      Call::Fill(answer, parts_.clock.BootNanos() - found->second.asked_boot_nanos, &response);
      waiting_.erase(found);
    }
    AskMore();
    SendSome();
  }

 private:
  struct Asked {
    v1::Host host;
    int64_t asked_boot_nanos = 0;
  };

  // In a worker.
  void Begin() {
    absl::StatusOr<std::vector<v1::Host>> hosts = Call::Hosts(parts_, caller_, request_);
    if (!hosts.ok()) {
      this->EndNow(ToGrpcStatus(hosts.status()));
      return;
    }
    v1::ControlResponse question;
    Call::Ask(request_, Call::Feed(parts_).Start(this->shared_from_this()), &question);
    question_ = MakeControlMessage(question);
    {
      const std::lock_guard lock(mutex_);
      hosts_ = static_cast<uint32_t>(hosts->size());
      timeout_nanos_ =
          request_.timeout_nanos() == 0 ? Call::DefaultTimeoutNanos(request_) : request_.timeout_nanos();
      began_boot_nanos_ = parts_.clock.BootNanos();
      for (v1::Host& host : *hosts) unasked_.push_back(std::move(host));
    }
    AskMore();
    SendSome();
  }

  // Asks as many as may be under way; those who are not connected make room at once.
  void AskMore() {
    for (std::vector<std::string> host_ids = NextToAsk(); !host_ids.empty(); host_ids = NextToAsk()) {
      const std::vector<std::string> asked = parts_.sessions.Push(host_ids, question_);
      const std::set<std::string> reached(asked.begin(), asked.end());
      const std::lock_guard lock(mutex_);
      for (const std::string& host_id : host_ids) {
        const auto found = waiting_.find(host_id);
        if (reached.contains(host_id) || found == waiting_.end()) continue;
        GiveUp(std::move(found->second.host), "the host is not connected");
        waiting_.erase(found);
      }
    }
  }

  std::vector<std::string> NextToAsk() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> host_ids;
    while (!unasked_.empty() && waiting_.size() + to_send_.size() < Call::kAskedAtATime) {
      v1::Host host = std::move(unasked_.front());
      unasked_.pop_front();
      host_ids.push_back(host.host_id());
      waiting_[host_ids.back()] = {std::move(host), parts_.clock.BootNanos()};
    }
    return host_ids;
  }

  void GiveUp(v1::Host host, std::string error) {
    Response& response = to_send_.emplace_back();
    *response.mutable_host() = std::move(host);
    response.set_error(std::move(error));
  }

  void OnTick(int64_t now_boot_nanos) override {
    {
      const std::lock_guard lock(mutex_);
      if (began_boot_nanos_ == 0 || now_boot_nanos - began_boot_nanos_ < timeout_nanos_) return;
      for (auto& [host_id, asked] : waiting_) {
        GiveUp(std::move(asked.host), StrCat("no answer in ", FormatDuration(timeout_nanos_)));
      }
      waiting_.clear();
      for (v1::Host& host : unasked_) {
        GiveUp(std::move(host), StrCat("not asked in ", FormatDuration(timeout_nanos_),
                                       ": too many hosts at once; ask again for fewer or with more time"));
      }
      unasked_.clear();
    }
    SendSome();
  }

  void OnDrained() override {
    {
      const std::lock_guard lock(mutex_);
      sending_ = false;
    }
    SendSome();
    AskMore();
    SendSome();
  }

  // Sends under the lock, so that the end cannot overtake an answer.
  void SendSome() {
    const std::lock_guard lock(mutex_);
    if (sending_) return;
    for (size_t sent = 0; sent < Call::kSentAtATime && !to_send_.empty(); ++sent) {
      sending_ = true;
      to_send_.back().set_hosts(hosts_);
      this->Send(to_send_.back());
      to_send_.pop_back();
    }
    if (began_boot_nanos_ != 0 && waiting_.empty() && unasked_.empty() && to_send_.empty()) {
      this->End(grpc::Status::OK);
    }
  }

  ServerParts& parts_;
  const Identity caller_;
  const Request request_;
  std::shared_ptr<const ControlMessage> question_;  // complete before anybody is asked

  std::mutex mutex_;
  int64_t began_boot_nanos_ = 0;  // 0: not yet
  int64_t timeout_nanos_ = 0;     // for all together
  std::deque<v1::Host> unasked_;
  std::map<std::string, Asked> waiting_;  // asked, no answer yet
  std::vector<Response> to_send_;
  bool sending_ = false;  // messages are queued; OnDrained comes when they are gone
  uint32_t hosts_ = 0;
};

}  // namespace cordon::controller
