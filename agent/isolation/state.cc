#include "agent/isolation/state.h"

#include <algorithm>
#include <utility>

namespace cordon::agent {
void StartLease(v1::IsolationState* state, std::string_view boot_id, const Clock& clock) {
  const auto& length = state->action().lease().length();
  state->set_lease_length_nanos(
      state->action().has_lease() ? length.seconds() * kNanosPerSecond + length.nanos() : 0);
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
  state->set_boot_id(std::string(boot_id));
  state->set_boot_nanos(now);
}

int64_t LeaseRemaining(const v1::IsolationState& state) {
  return std::max<int64_t>(state.lease_length_nanos() - state.lease_elapsed_nanos(), 0);
}

void StartUnlock(v1::IsolationState* state, v1::Unlock unlock, std::string_view boot_id, const Clock& clock) {
  CountTime(state, boot_id, clock);
  unlock.set_elapsed_nanos(0);
  *state->mutable_unlock() = std::move(unlock);
}

int64_t UnlockRemaining(const v1::IsolationState& state) {
  if (!state.has_unlock()) return 0;
  return std::max<int64_t>(state.unlock().length_nanos() - state.unlock().elapsed_nanos(), 0);
}

v1::Level LevelInForce(const v1::IsolationState& state) {
  return state.has_unlock() ? std::min(state.level(), state.unlock().level()) : state.level();
}

}  // namespace cordon::agent
