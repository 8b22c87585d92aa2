#pragma once

#include <absl/status/status.h>

#include <string_view>

#include "cordon/v1/isolation.pb.h"

namespace cordon {

inline constexpr int kMaxProfileRules = 10'000;
inline constexpr int kMaxRuleNetworks = 256;
inline constexpr int kMaxRuleNames = 256;
inline constexpr int kMaxRulePorts = 64;
inline constexpr size_t kMaxPathBytes = 4'096;

// OK when every field of `rule` is within the bounds of isolation.proto. INVALID_ARGUMENT names the field.
absl::Status CheckAllowRule(const v1::AllowRule& rule);

// OK when every field of `profile` is within the bounds of isolation.proto (AUT-6). INVALID_ARGUMENT names
// the profile, the rule (counted from 1) and the field.
absl::Status CheckProfile(const v1::Profile& profile);

// True for "pms.example.vet" and "*.cloud.example.vet": lower-case labels of [a-z0-9_-], at most 253 bytes,
// one leading wildcard label at most and at least two labels behind it.
bool IsProfileName(std::string_view name);

// True for an absolute path of either system, of at most kMaxPathBytes without control characters.
bool IsAbsolutePath(std::string_view path);

}  // namespace cordon
