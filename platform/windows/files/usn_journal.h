#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <span>
#include <vector>

#include "platform/windows/files/usn_journals.h"

namespace cordon::platform {

// The volumes that hold these folders, each once, opened for their journals. Needs administrators' rights;
// under wine, which has no journals, each says why.
std::vector<UsnJournals::Volume> OpenUsnVolumes(std::span<const std::filesystem::path> folders);

}  // namespace cordon::platform
