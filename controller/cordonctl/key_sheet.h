#pragma once

// The hosts' public unlock keys in one file, for unlock codes without a controller (AUT-5).

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

inline constexpr size_t kMaxKeySheetBytes = size_t{64} * 1024 * 1024;

// One entry per host that has an unlock key and is not revoked.
v1::UnlockKeySheet MakeKeySheet(const std::string& fleet_id, const std::vector<v1::Host>& hosts,
                                int64_t now_unix_nanos);

// The armoured text.
std::string WriteKeySheet(const v1::UnlockKeySheet& sheet);

// INVALID_ARGUMENT, naming the field, for text that is cut, of another kind or out of bounds.
absl::StatusOr<v1::UnlockKeySheet> ReadKeySheet(std::string_view text);

// The host that `name` names: its name, in small or capital letters, or its id. NOT_FOUND;
// FAILED_PRECONDITION, listing the candidates, when several have the name.
absl::StatusOr<v1::UnlockKey> FindUnlockKey(const v1::UnlockKeySheet& sheet, std::string_view name);

}  // namespace cordon::ctl
