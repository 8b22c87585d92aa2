#pragma once

// Freeing a host by telephone (AUT-5): the challenge that it shows, and the code that an operator answers
// with. Pure; no clock, no files. The layout stands in docs/protocol.md.
//
// Both are 12 letters of Crockford's alphabet (no I, L, O, U), which people write in groups:
// "J4KM-W2T9-X0VC". Spaces, dashes and case do not count, and look-alikes are taken for what they look like
// (O for 0, I and L for 1, U for V).

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/crypto/key.h"
#include "cordon/v1/isolation.pb.h"

namespace cordon {

inline constexpr size_t kUnlockLetters = 12;  // of a challenge and of a code
inline constexpr size_t kMaxUnlockText = 40;  // as typed

// How long a host may be unlocked: four bits of the challenge.
inline constexpr int64_t kUnlockMinute = 60 * kNanosPerSecond;
inline constexpr int64_t kUnlockHour = 60 * kUnlockMinute;
inline constexpr int64_t kUnlockDay = 24 * kUnlockHour;
inline constexpr std::array<int64_t, 16> kUnlockLengths = {
    15 * kUnlockMinute, 30 * kUnlockMinute, kUnlockHour,      2 * kUnlockHour,
    3 * kUnlockHour,    4 * kUnlockHour,    6 * kUnlockHour,  8 * kUnlockHour,
    10 * kUnlockHour,   12 * kUnlockHour,   18 * kUnlockHour, kUnlockDay,
    2 * kUnlockDay,     3 * kUnlockDay,     5 * kUnlockDay,   7 * kUnlockDay};

// "15m, 30m, 1h, …": for errors and help.
std::string UnlockLengthsInWords();

// What a challenge asks for.
struct UnlockChallenge {
  v1::Level level = v1::LEVEL_UNSPECIFIED;  // OBSERVE to CONTROLLER_ONLY
  int64_t length_nanos = 0;                 // one of kUnlockLengths
  uint64_t nonce = 0;                       // 49 bits, random
  friend bool operator==(const UnlockChallenge&, const UnlockChallenge&) = default;
};

// With a new nonce. INVALID_ARGUMENT names the level or the length that cannot be asked for.
absl::StatusOr<UnlockChallenge> NewUnlockChallenge(v1::Level level, int64_t length_nanos);

// 12 letters without dashes: the form that goes into the code. `challenge` has values within their bounds.
std::string WriteUnlockChallenge(const UnlockChallenge& challenge);

// INVALID_ARGUMENT for anything that is no challenge; a single wrong letter, and two letters that changed
// places, are always noticed.
absl::StatusOr<UnlockChallenge> ReadUnlockChallenge(std::string_view text);

// A code as somebody typed it, in the form that UnlockCode gives. INVALID_ARGUMENT when it cannot be one.
absl::StatusOr<std::string> ReadUnlockCode(std::string_view text);

// "J4KM-W2T9-X0VC".
std::string InGroups(std::string_view letters);

// Whom a code is between. The name is the one that the operator knows the host by: a controller that hands
// out one host's id and key under another's name gets a code that opens neither.
struct UnlockParties {
  std::string fleet_id;
  std::string host_id;
  std::string host_name;
  std::string operator_id;
  std::string host_public_key;
  std::string operator_public_key;
};

// The 12 letters that `operator_id` answers `challenge` of this host with. Each side gives its own private
// key; the public key of the other is taken from `parties`. INVALID_ARGUMENT when a key of `parties` is no
// usable X25519 key, or `own` is neither of the two.
absl::StatusOr<std::string> UnlockCode(const UnlockParties& parties, const UnlockChallenge& challenge,
                                       EVP_PKEY& own);

}  // namespace cordon
