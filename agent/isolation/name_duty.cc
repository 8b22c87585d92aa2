#include "agent/isolation/name_duty.h"

#include <utility>

#include "agent/isolation/state.h"

namespace cordon::agent {
namespace {

constexpr int64_t kSaveEvery = kNanosPerSecond;
constexpr int64_t kTellEvery = 60 * kNanosPerSecond;

}  // namespace

void NameDuty::Begin(v1::IsolationState* state) {
  if (names_ == nullptr) return;
  v1::IsolationState in_force = *state;
  in_force.set_level(LevelInForce(*state));
  if (ByItselfDecides(*state))
    *in_force.mutable_action()->mutable_profile() = state->by_itself().allowed().profile();
  names_->Begin(in_force);
  names_->Record(state);
  unsaved_ = false;
}

void NameDuty::Settle() {
  if (names_ != nullptr) names_->Settle();
}

void NameDuty::Fill(platform::FilterPolicy* policy) const {
  if (names_ == nullptr) return;
  policy->name_sets = names_->Sets();
  policy->dns = names_->Redirect();
  policy->resolvers = names_->OwnResolvers();
}

std::vector<std::string> NameDuty::Notes() const {
  return names_ == nullptr ? std::vector<std::string>() : names_->Notes();
}

bool NameDuty::NotesTurned() {
  if (names_ == nullptr || clock_->BootNanos() - told_at_ < kTellEvery) return false;
  std::vector<std::string> notes = names_->Notes();
  if (notes == told_notes_) return false;
  told_notes_ = std::move(notes);
  told_at_ = clock_->BootNanos();
  return true;
}

bool NameDuty::RedirectTurned(const platform::FilterPolicy& policy) {
  return std::exchange(redirected_, policy.dns.has_value()) != policy.dns.has_value();
}

bool NameDuty::Changed(v1::IsolationState* state) {
  if (names_ != nullptr) names_->Record(state);
  unsaved_ = true;
  return SaveIsDue();
}

bool NameDuty::SaveIsDue() {
  if (!unsaved_ || clock_->BootNanos() - saved_at_ < kSaveEvery) return false;
  unsaved_ = false;
  saved_at_ = clock_->BootNanos();
  return true;
}

void NameDuty::Tick() {
  if (names_ != nullptr) names_->Tick();
}

}  // namespace cordon::agent
