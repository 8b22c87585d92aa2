#pragma once

// unlock.state: the open challenge and what is left of the delay after wrong codes, so that no restart
// shortens it (AUT-5).
//   "cordon-unlock-state-v1\n" || SHA-256 of what follows (32 bytes) || a serialised v1.UnlockState

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "cordon/v1/local.pb.h"

namespace cordon::agent {

inline constexpr size_t kMaxUnlockStateBytes = 4 * 1024;
inline constexpr int64_t kLongestUnlockDelay = 3'600 * kNanosPerSecond;
inline constexpr uint32_t kMostWrongCodes = 12;  // from here on the delay is the longest

std::string EncodeUnlockState(const v1::UnlockState& state);

// DATA_LOSS when the bytes are cut, altered or of another kind.
absl::StatusOr<v1::UnlockState> DecodeUnlockState(std::string_view bytes);

// After so many wrong codes in a row: 2 s, 4 s, 8 s, … up to an hour; 0 for none.
int64_t UnlockDelay(uint32_t wrong_codes);

// Takes the time since the last call off the delay, by the boot-time clock only (ISO-8).
void CountUnlockDelay(v1::UnlockState* state, std::string_view boot_id, const Clock& clock);

}  // namespace cordon::agent
