#include "agent/isolation/receipt.h"

#include <algorithm>

#include "agent/isolation/state.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

// By the order, or by what a policy lets the host take over it.
v1::Level IntendedLevel(const v1::IsolationState& state) {
  const v1::Level ordered = state.has_action() ? state.action().level() : v1::LEVEL_OBSERVE;
  return state.has_by_itself() ? std::max(ordered, state.by_itself().allowed().level()) : ordered;
}

// From the kernel's rules alone.
void JudgeRules(const v1::IsolationState& state, const platform::FilterReadback& readback,
                v1::Receipt* receipt) {
  for (const std::string& difference : readback.differences) receipt->add_reasons(difference);
  if (readback.matches) {
    receipt->set_enforced_level(state.level());
    receipt->set_containment(state.level() == v1::LEVEL_OBSERVE ? v1::CONTAINMENT_OPEN
                                                                : v1::CONTAINMENT_CONTAINED);
  } else if (readback.absent) {
    receipt->set_enforced_level(v1::LEVEL_OBSERVE);
    receipt->set_containment(v1::CONTAINMENT_OPEN);
  } else {
    receipt->set_containment(v1::CONTAINMENT_PARTIAL);
  }
}

// Everything else can only make it worse.
void Lower(v1::Receipt* receipt, v1::Containment to, const std::string& reason) {
  if (reason.empty()) return;
  receipt->add_reasons(reason);
  if (receipt->containment() > to) receipt->set_containment(to);
}

// A program that is not bound is shut out: that makes nothing worse than contained, but is no secret.
void JudgePrograms(const ProgramFacts& programs, v1::Receipt* receipt) {
  for (const std::string& unbound : programs.unbound) receipt->add_reasons(unbound);
  for (const std::string& difference : programs.differences)
    Lower(receipt, v1::CONTAINMENT_PARTIAL, difference);
  if (programs.unreadable.empty()) return;
  Lower(receipt, v1::CONTAINMENT_UNCERTAIN,
        StrCat("what marks the sockets of programs could not be read back: ", programs.unreadable));
}

}  // namespace

v1::Receipt MakeReceipt(const v1::IsolationState& state,
                        const absl::StatusOr<platform::FilterReadback>& readback, const ReceiptFacts& facts) {
  v1::Receipt receipt;
  receipt.set_intended_level(IntendedLevel(state));
  receipt.set_order_id(state.order_id());
  receipt.set_order_sequence(state.sequence());
  receipt.set_profile_name(state.action().profile().name());
  receipt.set_read_back_time_unix_nanos(facts.now_unix_nanos);
  receipt.set_apply_nanos(facts.apply_nanos);
  receipt.set_lease_remaining_nanos(LeaseRemaining(state));
  if (absl::IsUnimplemented(readback.status())) {
    receipt.set_containment(v1::CONTAINMENT_OPEN);
    receipt.set_enforced_level(v1::LEVEL_OBSERVE);
    receipt.add_reasons(StrCat("nothing can be enforced here: ", Message(readback.status())));
  } else if (!readback.ok()) {
    receipt.set_containment(v1::CONTAINMENT_UNCERTAIN);
    receipt.add_reasons(StrCat("the kernel's rules could not be read back: ", Message(readback.status())));
  } else {
    receipt.set_ruleset_sha256(readback->ruleset_sha256);
    receipt.mutable_uplinks()->Assign(readback->uplinks.begin(), readback->uplinks.end());
    receipt.set_dropped_packets(facts.dropped_before + readback->dropped_packets);
    JudgeRules(state, *readback, &receipt);
    for (const std::string& note : readback->notes) receipt.add_reasons(note);
  }
  const bool below = receipt.intended_level() > state.level();
  Lower(&receipt, v1::CONTAINMENT_PARTIAL, below ? state.note() : "");
  Lower(&receipt, v1::CONTAINMENT_PARTIAL, facts.unlocked);
  receipt.mutable_probes()->Assign(facts.probes.begin(), facts.probes.end());
  if (state.level() != v1::LEVEL_OBSERVE) {
    for (const std::string& hole : facts.holes) Lower(&receipt, v1::CONTAINMENT_PARTIAL, hole);
    for (const std::string& doubt : facts.doubts) receipt.add_reasons(doubt);
  }
  Lower(&receipt, v1::CONTAINMENT_UNCERTAIN, facts.state_problem);
  JudgePrograms(facts.programs, &receipt);
  for (const std::string& note : facts.notes) receipt.add_reasons(note);
  return receipt;
}

}  // namespace cordon::agent
