#pragma once

// Who may order what, and how many of them it takes (AUT-3). Pure; no clock, no files.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "cordon/v1/order.pb.h"

namespace cordon {

inline constexpr int kMaxSignatures = 16;
inline constexpr int kMaxOperators = 1'000;
inline constexpr int kMaxLifelines = 1'000;
inline constexpr int kMaxLifelineHosts = 100;
inline constexpr int kMaxRosterHosts = 1'000;
inline constexpr size_t kMaxTrustBundleBytes = 1024 * 1024;

// OK when `bundle` is whole: a fleet, a version, operators with distinct ids and distinct keys, thresholds of
// 1 to 16 that its own operators can reach, lifelines and certificate authorities within the bounds of
// order.proto, and no field that this version does not know (AUT-4). INVALID_ARGUMENT names the field.
absl::Status CheckTrustBundle(const v1::TrustBundle& bundle);

// The bundle inside, within its bounds. Looks at no signature and no hash.
absl::StatusOr<v1::TrustBundle> ParseTrustBundle(const v1::SignedTrustBundle& signed_bundle);

// The bundle inside, when its bytes are those that were pinned (AUT-1). PERMISSION_DENIED when they are not.
absl::StatusOr<v1::TrustBundle> VerifyTrustBundleHash(const v1::SignedTrustBundle& signed_bundle,
                                                      std::string_view pinned_sha256);

// The role that an operator needs for a class of actions; UNSPECIFIED, which nobody has, for
// ACTION_CLASS_WHOLE_GROUP, which is no class of its own.
v1::TrustedOperator::Role RoleFor(v1::Threshold::ActionClass action_class);
bool HasRole(const v1::TrustedOperator& person, v1::TrustedOperator::Role role);

// 1 for a class that the bundle does not list.
uint32_t ThresholdOf(const v1::TrustBundle& bundle, v1::Threshold::ActionClass action_class);

// What a fleet with these operators begins with (design.md §8): one person for observe to essential, scans
// and policies; two for controller-only, dark, whole-group targets and changes of trust, as soon as two
// operators have the role for it.
std::vector<v1::Threshold> DefaultThresholds(
    const google::protobuf::RepeatedPtrField<v1::TrustedOperator>& operators);

}  // namespace cordon
