#include "common/rules/rule_set.h"

namespace cordon {

RuleLibrary::RuleLibrary() : ready_(true) {}
RuleLibrary::~RuleLibrary() = default;

struct RuleSet::Compiled {};

RuleSet::RuleSet(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

absl::StatusOr<RuleSet> RuleSet::Compile(std::span<const RuleText> /*files*/) {
  return absl::UnimplementedError("this build has no YARA: leave the rules out");
}

absl::StatusOr<std::vector<std::string>> RuleSet::Scan(std::string_view /*content*/,
                                                       std::chrono::seconds /*timeout*/) const {
  return absl::UnimplementedError("this build has no YARA");
}

}  // namespace cordon
