#pragma once

#include "common/base/clock.h"
#include "controller/server/ask_hosts_stream.h"
#include "controller/server/bounds.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {

// Asks each host of the target what an isolate action would do to its flows.
struct RehearseCall {
  using Request = v1::RehearseRequest;
  using Response = v1::RehearseResponse;
  using Answer = v1::RehearsalAnswer;
  static int64_t DefaultTimeoutNanos(const Request& /*request*/) { return 10 * kNanosPerSecond; }
  static constexpr size_t kAskedAtATime = 64;  // an answer may have 2 MiB
  static constexpr size_t kSentAtATime = 16;

  static absl::StatusOr<std::vector<v1::Host>> Hosts(ServerParts& parts, const Identity& caller,
                                                     const Request& request) {
    return HostsForRehearsal(parts, caller, request);
  }
  static AnswerFeed<Answer>& Feed(ServerParts& parts) { return parts.rehearsals; }
  static void Ask(const Request& request, uint64_t id, v1::ControlResponse* question) {
    question->mutable_rehearsal()->set_rehearsal_id(id);
    *question->mutable_rehearsal()->mutable_action() = request.action();
  }
  static void Fill(const Answer& answer, int64_t /*round_trip_nanos*/, Response* response) {
    if (const absl::Status bounds = CheckRehearsalAnswer(answer); !bounds.ok()) {
      response->set_error(std::string(Message(bounds)));
    } else if (!answer.error().empty()) {
      response->set_error(Printable(answer.error()));
    } else {
      response->set_answered(true);
      *response->mutable_rehearsal() = answer.rehearsal();
    }
  }
};

using RehearseStream = AskHostsStream<RehearseCall>;

}  // namespace cordon::controller
