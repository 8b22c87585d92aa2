#include "agent/isolation/state.h"

#include <algorithm>
#include <utility>

namespace cordon::agent {
namespace {

int64_t LengthOf(const v1::Lease& lease) {
  return lease.length().seconds() * kNanosPerSecond + lease.length().nanos();
}

// Below what the host took by itself.
v1::Level OrderedInForce(const v1::IsolationState& state) {
  const bool lowered = state.has_unlock() && !state.unlock().over_by_itself();
  return lowered ? std::min(state.level(), state.unlock().level()) : state.level();
}

}  // namespace

void StartLease(v1::IsolationState* state, std::string_view boot_id, const Clock& clock) {
  state->set_lease_length_nanos(state->action().has_lease() ? LengthOf(state->action().lease()) : 0);
  state->set_lease_elapsed_nanos(0);
  state->set_boot_id(std::string(boot_id));
  state->set_boot_nanos(clock.BootNanos());
}

void CountTime(v1::IsolationState* state, std::string_view boot_id, const Clock& clock) {
  const int64_t now = clock.BootNanos();
  const int64_t since = state->boot_id() == boot_id ? state->boot_nanos() : 0;
  const int64_t passed = std::clamp<int64_t>(now - since, 0, now);
  state->set_lease_elapsed_nanos(state->lease_elapsed_nanos() + std::min(passed, LeaseRemaining(*state)));
  if (state->has_unlock()) {
    v1::Unlock& unlock = *state->mutable_unlock();
    unlock.set_elapsed_nanos(unlock.elapsed_nanos() + std::min(passed, UnlockRemaining(*state)));
  }
  if (state->has_by_itself()) {
    v1::TakenByItself& taken = *state->mutable_by_itself();
    taken.set_elapsed_nanos(taken.elapsed_nanos() + std::min(passed, ByItselfRemaining(*state)));
  }
  state->set_boot_id(std::string(boot_id));
  state->set_boot_nanos(now);
}

int64_t LeaseRemaining(const v1::IsolationState& state) {
  return std::max<int64_t>(state.lease_length_nanos() - state.lease_elapsed_nanos(), 0);
}

void StartUnlock(v1::IsolationState* state, v1::Unlock unlock, std::string_view boot_id, const Clock& clock) {
  CountTime(state, boot_id, clock);
  unlock.set_elapsed_nanos(0);
  unlock.set_over_by_itself(state->has_by_itself());
  *state->mutable_unlock() = std::move(unlock);
}

int64_t UnlockRemaining(const v1::IsolationState& state) {
  if (!state.has_unlock()) return 0;
  return std::max<int64_t>(state.unlock().length_nanos() - state.unlock().elapsed_nanos(), 0);
}

void StartByItself(v1::IsolationState* state, const v1::SelfIsolation& allowed, std::string_view boot_id,
                   const Clock& clock) {
  CountTime(state, boot_id, clock);
  state->clear_by_itself();
  *state->mutable_by_itself()->mutable_allowed() = allowed;
  state->set_times_by_itself(state->times_by_itself() + 1);
  if (state->has_unlock()) state->mutable_unlock()->set_over_by_itself(false);
  DropIdleUnlock(state);
}

int64_t ByItselfRemaining(const v1::IsolationState& state) {
  if (!state.has_by_itself()) return 0;
  const v1::TakenByItself& taken = state.by_itself();
  return std::max<int64_t>(LengthOf(taken.allowed().lease()) - taken.elapsed_nanos(), 0);
}

bool ByItselfDecides(const v1::IsolationState& state) {
  return state.has_by_itself() && state.by_itself().allowed().level() > OrderedInForce(state);
}

v1::Level LevelInForce(const v1::IsolationState& state) {
  const v1::Level level =
      ByItselfDecides(state) ? state.by_itself().allowed().level() : OrderedInForce(state);
  const bool lowered = state.has_unlock() && state.unlock().over_by_itself();
  return lowered ? std::min(level, state.unlock().level()) : level;
}

v1::Level LevelWithoutUnlock(const v1::IsolationState& state) {
  return state.has_by_itself() ? std::max(state.level(), state.by_itself().allowed().level()) : state.level();
}

void DropIdleUnlock(v1::IsolationState* state) {
  if (!state->has_unlock()) return;
  const v1::Level lowered = state->unlock().over_by_itself() ? LevelWithoutUnlock(*state) : state->level();
  if (state->unlock().level() >= lowered) state->clear_unlock();
}

}  // namespace cordon::agent
