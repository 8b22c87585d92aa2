#include "agent/scan/scanner_child.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "agent/scan/rule_scanner.h"
#include "agent/scan/scanner_wire.h"
#include "common/base/status.h"
#include "common/rules/rule_set.h"
#include "cordon/v1/scan.pb.h"
#include "platform/api/sandboxed_child.h"

namespace cordon::agent {
namespace {

using Kind = ScannerAnswer::Kind;

// Address space: the program and its libraries, the rules, the work, and one file.
constexpr uint64_t kMemoryBytes = uint64_t{1024} * 1024 * 1024 + kMaxSearchedBytes;

class Scanner {
 public:
  ScannerAnswer Answer(const platform::SandboxRequest& request) {
    if (request.message.empty()) return Failed("an empty request");
    if (request.message.front() == kUseRules) return UseRules(request.message.substr(1));
    if (request.message.front() == kSearchFile) return Search(request);
    return Failed("an unknown request");
  }

 private:
  static ScannerAnswer Failed(std::string_view why) {
    return {.kind = Kind::kFailed, .texts = {std::string(why)}};
  }

  ScannerAnswer UseRules(const std::string& bytes) {
    v1::IndicatorCheck check;
    if (!check.ParseFromString(bytes)) return Failed("the rules did not arrive whole");
    std::vector<RuleText> texts;
    for (const v1::RuleFile& file : check.yara())
      texts.push_back({.file = file.name(), .text = file.content()});
    absl::StatusOr<RuleSet> rules = RuleSet::Compile(texts);
    if (!rules.ok()) return {.kind = Kind::kRefused, .texts = {std::string(Message(rules.status()))}};
    rules_.emplace(*std::move(rules));
    return {.kind = Kind::kReady, .texts = {}};
  }

  ScannerAnswer Search(const platform::SandboxRequest& request) const {
    if (!rules_.has_value()) return Failed("there are no rules");
    if (!request.content.has_value()) return Failed("its content cannot be looked at");
    absl::StatusOr<std::vector<std::string>> matches = rules_->Scan(*request.content, kSearchTimeout);
    if (matches.ok()) return {.kind = Kind::kMatches, .texts = *std::move(matches)};
    if (absl::IsDeadlineExceeded(matches.status())) return {.kind = Kind::kTooLate, .texts = {}};
    return Failed(Message(matches.status()));
  }

  std::optional<RuleSet> rules_;
};

}  // namespace

int RunScannerChild() {
  const RuleLibrary library;  // before nothing can be opened any more
  const absl::StatusOr<std::unique_ptr<platform::SandboxChannel>> channel =
      platform::EnterSandbox({.memory_bytes = kMemoryBytes, .file_bytes = kMaxSearchedBytes});
  if (!channel.ok()) {
    fmt::print(stderr, "cordon-agent: the scanning process: {}\n", Message(channel.status()));
    return 1;
  }
  Scanner scanner;
  while (const std::optional<platform::SandboxRequest> request = (*channel)->Receive()) {
    if (!(*channel)->Send(EncodeAnswer(scanner.Answer(*request))).ok()) return 1;
  }
  return 0;
}

}  // namespace cordon::agent
