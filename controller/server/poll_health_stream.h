#pragma once

#include "common/base/clock.h"
#include "controller/server/ask_hosts_stream.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {

// A round trip to each host of the target, with its health.
struct HealthCall {
  using Request = v1::PollHealthRequest;
  using Response = v1::PollHealthResponse;
  using Answer = v1::HealthAnswer;
  // A part that is broken takes its time to say so: the agent gives proofs 8 s (agent/health).
  static int64_t DefaultTimeoutNanos(const Request& request) {
    return (request.prove() ? 12 : 5) * kNanosPerSecond;
  }
  static constexpr size_t kAskedAtATime = 100'000;  // all at once: answers are small
  static constexpr size_t kSentAtATime = 256;

  static absl::StatusOr<std::vector<v1::Host>> Hosts(ServerParts& parts, const Identity& caller,
                                                     const Request& request) {
    return HostsForHealthPoll(parts, caller, request);
  }
  static AnswerFeed<Answer>& Feed(ServerParts& parts) { return parts.polls; }
  static void Ask(const Request& request, uint64_t id, v1::ControlResponse* question) {
    question->mutable_health_poll()->set_poll_id(id);
    question->mutable_health_poll()->set_prove(request.prove());
  }
  static void Fill(const Answer& answer, int64_t round_trip_nanos, Response* response) {
    response->set_answered(true);
    response->set_round_trip_nanos(round_trip_nanos);
    *response->mutable_report() = answer.report();
  }
};

using PollHealthStream = AskHostsStream<HealthCall>;

}  // namespace cordon::controller
