#pragma once

// The last looks at the registry as a file, for the next start. Pure.

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>

#include "platform/windows/registry/registry_changes.h"

namespace cordon::platform {

// By what was looked at: the path of the key that a watch names.
using RegistryMemory = std::map<std::string, RegistrySnapshot>;

inline constexpr size_t kMostRegistryMemoryBytes = 16 * 1024 * 1024;

// Without the texts of values. A line for the format; then for each look a line with its key, and behind it
// one for each entry: path, size, SHA-256 ("-" where there is none), with tabs between them. A look that does
// not fit into kMostRegistryMemoryBytes any more is left out: users' come behind the machine's.
std::string FormatRegistryMemory(const RegistryMemory& memory);

// INVALID_ARGUMENT for anything that FormatRegistryMemory does not write.
absl::StatusOr<RegistryMemory> ParseRegistryMemory(std::string_view text);

}  // namespace cordon::platform
