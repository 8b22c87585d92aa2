#include "agent/isolation/state.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/crypto/digest.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kMagic = "cordon-isolation-state-v1\n";

}  // namespace

std::string EncodeState(const v1::IsolationState& state) {
  const std::string body = state.SerializeAsString();
  return StrCat(kMagic, Sha256(body), body);
}

absl::StatusOr<v1::IsolationState> DecodeState(std::string_view bytes) {
  const absl::Status damaged = absl::DataLossError("the isolation state is cut, altered or of another kind");
  if (!bytes.starts_with(kMagic)) return damaged;
  bytes.remove_prefix(kMagic.size());
  if (bytes.size() < kSha256Bytes) return damaged;
  const std::string_view hash = bytes.substr(0, kSha256Bytes);
  const std::string_view body = bytes.substr(kSha256Bytes);
  v1::IsolationState state;
  if (Sha256(body) != hash || !state.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return damaged;
  return state;
}

void StartLease(v1::IsolationState* state, std::string_view boot_id, const Clock& clock) {
  const auto& length = state->action().lease().length();
  state->set_lease_length_nanos(
      state->action().has_lease() ? length.seconds() * kNanosPerSecond + length.nanos() : 0);
  state->set_lease_elapsed_nanos(0);
  state->set_boot_id(std::string(boot_id));
  state->set_boot_nanos(clock.BootNanos());
}

void CountLease(v1::IsolationState* state, std::string_view boot_id, const Clock& clock) {
  const int64_t now = clock.BootNanos();
  const int64_t since = state->boot_id() == boot_id ? state->boot_nanos() : 0;
  const int64_t passed = std::clamp<int64_t>(now - since, 0, now);
  const int64_t left = state->lease_length_nanos() - state->lease_elapsed_nanos();
  state->set_lease_elapsed_nanos(state->lease_elapsed_nanos() +
                                 std::clamp<int64_t>(passed, 0, std::max<int64_t>(left, 0)));
  state->set_boot_id(std::string(boot_id));
  state->set_boot_nanos(now);
}

int64_t LeaseRemaining(const v1::IsolationState& state) {
  return std::max<int64_t>(state.lease_length_nanos() - state.lease_elapsed_nanos(), 0);
}

}  // namespace cordon::agent
