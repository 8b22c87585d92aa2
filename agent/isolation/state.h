#pragma once

// What the host is ordered to be, on disk before it is in the kernel (ISO-9): state_file.h.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "cordon/v1/local.pb.h"

namespace cordon::agent {

// Starts the lease that `state.action` has, or none.
void StartLease(v1::IsolationState* state, std::string_view boot_id, const Clock& clock);

// Counts the time since the last call towards the lease and the unlock, by the boot-time clock only (ISO-8).
// After a reboot the time since boot counts; the time while the machine was off does not, no clock that can
// be trusted tells it.
void CountTime(v1::IsolationState* state, std::string_view boot_id, const Clock& clock);

// What is left; 0 when it has ended, and when there is no lease.
int64_t LeaseRemaining(const v1::IsolationState& state);

inline bool HasLease(const v1::IsolationState& state) {
  return state.lease_length_nanos() > 0;
}
inline bool LeaseEnded(const v1::IsolationState& state) {
  return HasLease(state) && LeaseRemaining(state) == 0;
}

// Lets the state down to `level` for a time, by phone (AUT-5). It counts from now, in the place of an earlier
// one.
void StartUnlock(v1::IsolationState* state, v1::Unlock unlock, std::string_view boot_id, const Clock& clock);

// What is left; 0 when it has ended, and when there is none.
int64_t UnlockRemaining(const v1::IsolationState& state);

inline bool UnlockEnded(const v1::IsolationState& state) {
  return state.has_unlock() && UnlockRemaining(state) == 0;
}

// Takes what a policy allows over the state, from now on, in the place of an earlier one. An unlock that is
// in force goes on below it.
void StartByItself(v1::IsolationState* state, const v1::SelfIsolation& allowed, std::string_view boot_id,
                   const Clock& clock);

// What is left; 0 when it has ended, and when there is none.
int64_t ByItselfRemaining(const v1::IsolationState& state);

inline bool ByItselfEnded(const v1::IsolationState& state) {
  return state.has_by_itself() && ByItselfRemaining(state) == 0;
}

// True while what the host took by itself, and not the order, says what stays open.
bool ByItselfDecides(const v1::IsolationState& state);

inline bool CountsTime(const v1::IsolationState& state) {
  return HasLease(state) || state.has_unlock() || state.has_by_itself();
}

// What is to be enforced: the higher one of the order's level and of what the host took by itself, or one
// below it that the host is unlocked to.
v1::Level LevelInForce(const v1::IsolationState& state);

// The same without any unlock.
v1::Level LevelWithoutUnlock(const v1::IsolationState& state);

// Takes away an unlock that lowers nothing any more.
void DropIdleUnlock(v1::IsolationState* state);

}  // namespace cordon::agent
