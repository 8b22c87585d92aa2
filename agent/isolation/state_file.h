#pragma once

// isolation.state on the disk: two_slots.h, with a serialised v1.IsolationState as content.

#include <absl/status/statusor.h>

#include <cstddef>
#include <filesystem>

#include "cordon/v1/local.pb.h"

namespace cordon::agent {

inline constexpr size_t kMaxStateBytes = size_t{8} * 1024 * 1024;

// NOT_FOUND when there is none, DATA_LOSS when what it says cannot be trusted, else what the system says.
absl::StatusOr<v1::IsolationState> LoadState(const std::filesystem::path& file);

// When this returns OK, LoadState gives `state`, also after a power cut; after an error or a power cut
// meanwhile, what it gave before or `state`. One writer at a time: whoever holds the isolation lock.
absl::Status SaveState(const std::filesystem::path& file, const v1::IsolationState& state);

}  // namespace cordon::agent
