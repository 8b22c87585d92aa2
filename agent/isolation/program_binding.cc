#include "agent/isolation/program_binding.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {

using platform::ProgramIdentity;

absl::Status ProgramBinding::Widen(const std::vector<ProgramIdentity>& wanted) {
  if (wanted.empty()) return absl::OkStatus();
  if (marks_ == nullptr) {
    return absl::UnimplementedError("rules for programs cannot be enforced by this agent on this system");
  }
  std::vector<ProgramIdentity> both = marked_;
  for (const ProgramIdentity& program : wanted) {
    if (std::find(both.begin(), both.end(), program) == both.end()) both.push_back(program);
  }
  CORDON_RETURN_IF_ERROR(marks_->Apply(both));
  marked_ = std::move(both);
  return absl::OkStatus();
}

absl::Status ProgramBinding::Settle(const std::vector<ProgramIdentity>& wanted) {
  if (marks_ == nullptr || (wanted.empty() && marked_.empty() && knows_kernel_)) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(marks_->Apply(wanted));
  knows_kernel_ = true;
  marked_ = wanted;
  told_ = Facts(wanted);
  return absl::OkStatus();
}

bool ProgramBinding::Refresh(const std::vector<ProgramIdentity>& wanted, std::string* cause) {
  if (marks_ == nullptr || wanted.empty()) return false;
  const auto before = marks_->ReadBack(wanted);
  if (before.ok() && before->matches && before->unbound == told_.unbound) return false;
  *cause = "a program of the profile changed";
  if (!before.ok()) *cause = StrCat("programs: ", Message(before.status()));
  if (before.ok() && !before->differences.empty())
    *cause = StrCat("drift repaired: ", before->differences[0]);
  const ProgramFacts told_before = told_;
  (void)Settle(wanted);  // what it could not do, Facts tells
  told_ = Facts(wanted);
  return !(told_before == told_) || (before.ok() && !before->differences.empty());
}

ProgramFacts ProgramBinding::Facts(const std::vector<ProgramIdentity>& wanted) const {
  ProgramFacts facts;
  if (wanted.empty()) return facts;
  if (marks_ == nullptr) {
    facts.unreadable = "rules for programs cannot be enforced by this agent on this system";
    return facts;
  }
  auto readback = marks_->ReadBack(wanted);
  if (!readback.ok()) {
    facts.unreadable = Message(readback.status());
    return facts;
  }
  facts.unbound = std::move(readback->unbound);
  facts.differences = std::move(readback->differences);
  return facts;
}

}  // namespace cordon::agent
