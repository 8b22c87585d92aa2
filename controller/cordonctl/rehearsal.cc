#include "controller/cordonctl/rehearsal.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/wire/json.h"
#include "controller/cordonctl/rehearsal_text.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kUsualNanos = 10 * kNanosPerSecond;
constexpr int64_t kLongestNanos = 60 * kNanosPerSecond;
// The controller ends the stream by itself; this is for when it does not.
constexpr int64_t kGraceNanos = 10 * kNanosPerSecond;

boost::json::object AnswerJson(const v1::RehearseResponse& answer) {
  boost::json::object line = ToJson(answer);
  line["host_id"] = answer.host().host_id();
  line["host"] = answer.host().facts().host_name();
  line["site"] = answer.host().site();
  line.erase("hosts");
  return line;
}

}  // namespace

absl::StatusOr<ExitCode> Rehearse(const Tool& tool, const Client& client, const v1::Order& order,
                                  int64_t timeout_nanos) {
  v1::RehearseRequest request;
  *request.mutable_target() = order.target();
  *request.mutable_action() = order.isolate();
  request.set_timeout_nanos(timeout_nanos == 0 ? kUsualNanos : std::min(timeout_nanos, kLongestNanos));
  std::vector<v1::RehearseResponse> answers;
  uint32_t asked = 0;
  const absl::Status read = client.Read<v1::RehearseRequest, v1::RehearseResponse>(
      &Client::Stub::Rehearse, request, std::chrono::nanoseconds(request.timeout_nanos() + kGraceNanos),
      [&](const v1::RehearseResponse& answer) {
        asked = std::max(asked, answer.hosts());
        if (tool.Json()) tool.Print(AnswerJson(answer));
        answers.push_back(answer);
        return true;
      });
  if (absl::IsUnimplemented(read)) {
    return absl::FailedPreconditionError(
        "what it would cut is not known: the controller is too old to ask hosts");
  }
  if (!read.ok() && !absl::IsDeadlineExceeded(read)) return read;
  std::ranges::sort(answers, {}, [](const v1::RehearseResponse& answer) {
    return std::pair(answer.host().site(), answer.host().facts().host_name());
  });
  const auto answered =
      static_cast<uint32_t>(std::ranges::count_if(answers, &v1::RehearseResponse::answered));
  if (!tool.Json()) {
    tool.Print(RehearsalText(answers, tool.Now()));
    if (answered < asked) tool.Print(StrCat(answered, " of ", Count(asked, "host"), " answered\n"));
  }
  if (!read.ok()) tool.Say(Message(read));
  // A controller that did not say how many it asks may have asked some that did not answer.
  const bool all = asked > 0 ? answered >= asked : read.ok();
  return all ? ExitCode::kDone : ExitCode::kNotAllAnswered;
}

}  // namespace cordon::ctl
