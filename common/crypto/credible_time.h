#pragma once

#include <cstdint>
#include <filesystem>

namespace cordon {

// How late it can be for a host, whatever its clock says: `now_unix_nanos`, but not after the end of the
// certificate in `file`. A host has heard from no controller after that end, so that nothing it has had is
// newer; a clock that is ahead by years must not make it take all that comes for old. Without a certificate
// there is nothing but the clock.
int64_t CredibleNanos(int64_t now_unix_nanos, const std::filesystem::path& file);

}  // namespace cordon
