// cordon-agent unlock: what somebody at the host and somebody on the phone do with each other (AUT-5).

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "agent/app/commands.h"
#include "agent/link/local_server.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "common/wire/unlock.h"

namespace cordon::agent {
namespace {

int Fail(int status, const absl::Status& why) {
  fmt::print(stderr, "cordon-agent: {}\n", Message(why));
  return status;
}

constexpr int kRefused = 1;
constexpr int kBadUsage = 2;

absl::StatusOr<v1::BeginUnlockRequest> RequestOf(const UnlockOptions& options) {
  const absl::StatusOr<int64_t> length = ParseDuration(options.length);
  if (!length.ok()) return Annotate(length.status(), "--for");
  v1::BeginUnlockRequest request;
  request.set_length_nanos(*length);
  request.set_level(FromWord<v1::Level>(options.level));
  const auto possible = NewUnlockChallenge(request.level(), request.length_nanos());
  if (!possible.ok()) return Annotate(possible.status(), "--for");
  return request;
}

void ShowChallenge(const v1::GetStatusResponse& status, const v1::BeginUnlockRequest& asked,
                   const v1::BeginUnlockResponse& begun) {
  fmt::print(
      "Call the security team and read out:\n\n  host       {}\n  challenge  {}\n\n"
      "It asks for {} for {}. They answer with a code of {} letters, which opens this computer once.\n",
      Printable(status.host_name()), begun.challenge(), WordOf(asked.level()),
      FormatDuration(asked.length_nanos()), kUnlockLetters);
  if (begun.wait_nanos() > 0)
    fmt::print("After the wrong codes before, no code is looked at for {}.\n",
               FormatDuration(begun.wait_nanos()));
}

absl::Status Answer(const AgentConfig& config, const std::string& code) {
  v1::AnswerUnlockRequest request;
  request.set_code(code);
  const absl::StatusOr<v1::AnswerUnlockResponse> answer = AnswerUnlock(config.Socket(), request);
  if (!answer.ok()) return answer.status();
  fmt::print("unlocked to {} for {}, with a code of {}; then what was ordered is back by itself\n",
             WordOf(answer->level()), FormatDuration(answer->length_nanos()),
             Printable(answer->operator_name()));
  return absl::OkStatus();
}

// Those after which the next code may be the right one.
bool MayTryAgain(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status) ||
         absl::IsInvalidArgument(status);
}

int AskForCodes(const AgentConfig& config) {
  std::string line;
  while (true) {
    fmt::print("Code: ");
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) {
      fmt::print("\n");
      return Fail(kRefused,
                  absl::AbortedError(
                      "no code was given; the challenge stays open, answer it with: cordon-agent unlock "
                      "--code CODE"));
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const absl::Status answered = Answer(config, line.substr(0, kMaxUnlockText + 1));
    if (answered.ok()) return 0;
    fmt::print(stderr, "cordon-agent: {}\n", Message(answered));
    if (!MayTryAgain(answered)) return kRefused;
  }
}

}  // namespace

int UnlockCommand(const AgentConfig& config, const UnlockOptions& options) {
  if (!options.code.empty()) {
    const absl::Status answered = Answer(config, options.code);
    return answered.ok() ? 0 : Fail(absl::IsInvalidArgument(answered) ? kBadUsage : kRefused, answered);
  }
  const absl::StatusOr<v1::BeginUnlockRequest> request = RequestOf(options);
  if (!request.ok()) return Fail(kBadUsage, request.status());
  const absl::StatusOr<v1::GetStatusResponse> status = AskLocalAgent(config.Socket());
  if (!status.ok()) return Fail(kRefused, status.status());
  const absl::StatusOr<v1::BeginUnlockResponse> begun = BeginUnlock(config.Socket(), *request);
  if (!begun.ok()) return Fail(kRefused, begun.status());
  ShowChallenge(*status, *request, *begun);
  return AskForCodes(config);
}

}  // namespace cordon::agent
