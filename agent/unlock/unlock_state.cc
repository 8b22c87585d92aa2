#include "agent/unlock/unlock_state.h"

#include <algorithm>

#include "common/crypto/sealed.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kMagic = "cordon-unlock-state-v1\n";

}  // namespace

std::string EncodeUnlockState(const v1::UnlockState& state) {
  return Seal(kMagic, state.SerializeAsString());
}

absl::StatusOr<v1::UnlockState> DecodeUnlockState(std::string_view bytes) {
  const absl::StatusOr<std::string> body = Unseal(kMagic, bytes);
  v1::UnlockState state;
  if (!body.ok() || !state.ParseFromString(*body))
    return absl::DataLossError("the unlock state is cut, altered or of another kind");
  return state;
}

int64_t UnlockDelay(uint32_t wrong_codes) {
  if (wrong_codes == 0) return 0;
  if (wrong_codes >= kMostWrongCodes) return kLongestUnlockDelay;
  return (int64_t{1} << wrong_codes) * kNanosPerSecond;
}

void CountUnlockDelay(v1::UnlockState* state, std::string_view boot_id, const Clock& clock) {
  const int64_t now = clock.BootNanos();
  const int64_t since = state->boot_id() == boot_id ? state->boot_nanos() : 0;
  const int64_t passed = std::clamp<int64_t>(now - since, 0, now);
  state->set_wait_nanos(std::max<int64_t>(state->wait_nanos() - passed, 0));
  state->set_boot_id(std::string(boot_id));
  state->set_boot_nanos(now);
}

}  // namespace cordon::agent
