#include "agent/scan/rule_scanner.h"

#include <string_view>
#include <utility>

#include "agent/scan/scanner_wire.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using Kind = ScannerAnswer::Kind;

constexpr auto kGrace = std::chrono::seconds(5);

std::string FirstText(const ScannerAnswer& answer) {
  return answer.texts.empty() ? "no reason given" : answer.texts.front();
}

absl::StatusOr<ScannerAnswer> Await(platform::SandboxedChild& child, std::chrono::seconds timeout,
                                    const std::function<bool()>& keep_going) {
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, child.Receive(timeout, keep_going));
  std::optional<ScannerAnswer> answer = DecodeAnswer(bytes);
  if (!answer.has_value()) return absl::DataLossError("answered what is no answer");
  return *std::move(answer);
}

absl::StatusOr<ScannerAnswer> Ask(platform::SandboxedChild& child, std::string_view request,
                                  std::chrono::seconds timeout, const std::function<bool()>& keep_going) {
  CORDON_RETURN_IF_ERROR(child.Send(request, nullptr));
  return Await(child, timeout, keep_going);
}

// Whatever became of the process is about the file that it was given.
absl::Status Blame(const absl::Status& status) {
  if (absl::IsCancelled(status)) return status;
  const std::string what = absl::IsDeadlineExceeded(status) ? "did not answer in time and was ended"
                                                            : std::string(Message(status));
  return absl::AbortedError(StrCat("the scanning process ", what));
}

}  // namespace

RuleScanner::RuleScanner(platform::SandboxCommand command, const v1::IndicatorCheck& check)
    : command_(std::move(command)), rules_(1, kUseRules) {
  v1::IndicatorCheck only_rules;
  *only_rules.mutable_yara() = check.yara();
  rules_ += only_rules.SerializeAsString();
}

RuleScanner::~RuleScanner() = default;

absl::Status RuleScanner::Prepare(const std::function<bool()>& keep_going) {
  if (child_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<platform::SandboxedChild>> child = platform::StartSandboxedChild(command_);
  if (!child.ok()) {
    return absl::UnavailableError(StrCat("no scanning process can be started: ", Message(child.status())));
  }
  const absl::StatusOr<ScannerAnswer> answer = Ask(**child, rules_, kCompileTimeout, keep_going);
  if (absl::IsCancelled(answer.status())) return answer.status();
  if (!answer.ok()) {
    return absl::InvalidArgumentError(
        StrCat("yara: the rules cannot be compiled within ",
               FormatDuration(std::chrono::nanoseconds(kCompileTimeout).count()),
               " and the memory there is for it: the scanning process ", Message(answer.status())));
  }
  if (answer->kind == Kind::kRefused) return absl::InvalidArgumentError(StrCat("yara: ", FirstText(*answer)));
  if (answer->kind != Kind::kReady) return absl::UnavailableError(StrCat("yara: ", FirstText(*answer)));
  child_ = *std::move(child);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> RuleScanner::Search(const platform::OpenFile& file,
                                                             const std::function<bool()>& keep_going) {
  if (file.Metadata().size > kMaxSearchedBytes) {
    return absl::OutOfRangeError(
        StrCat("longer than ", FormatBytes(kMaxSearchedBytes), ": not searched by rules"));
  }
  if (lost_ >= kMostLostProcesses) {
    return absl::ResourceExhaustedError(
        StrCat("the scanning process was lost ", lost_,
               " times: rules are not applied any more, not to this file either"));
  }
  constexpr std::string_view kRequest(&kSearchFile, 1);
  CORDON_RETURN_IF_ERROR(Prepare(keep_going));
  absl::Status sent = child_->Send(kRequest, &file);
  if (absl::IsUnavailable(sent)) {  // it has ended since the file before: no matter of this one
    child_.reset();
    ++lost_;
    CORDON_RETURN_IF_ERROR(Prepare(keep_going));
    sent = child_->Send(kRequest, &file);
  }
  absl::StatusOr<ScannerAnswer> answer =
      sent.ok() ? Await(*child_, kSearchTimeout + kGrace, keep_going) : absl::StatusOr<ScannerAnswer>(sent);
  if (!answer.ok()) {
    child_.reset();
    ++lost_;
    return Blame(answer.status());
  }
  if (answer->kind == Kind::kMatches) return std::move(answer->texts);
  if (answer->kind == Kind::kTooLate) {
    return absl::AbortedError(StrCat("the rules took longer than ",
                                     FormatDuration(std::chrono::nanoseconds(kSearchTimeout).count())));
  }
  return absl::AbortedError(StrCat("the scanning process: ", FirstText(*answer)));
}

}  // namespace cordon::agent
