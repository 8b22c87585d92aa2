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

// What is to be enforced: the state's level, or the one below it that the host is unlocked to.
v1::Level LevelInForce(const v1::IsolationState& state);

}  // namespace cordon::agent
