#pragma once

// agent.db: spool, lanes and policy in one SQLite file. Each user has a connection of its own, so that none
// waits for another's lock in memory.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "common/sqlite/database.h"

namespace cordon::agent {

// Opens agent.db, makes it or brings it up to this version's tables. A damaged file is set aside (once, by
// the first to open it). A record that was lost with it must not let an old order pass: the new file refuses,
// for the scan and policy lanes, orders whose sequence is not above `now_unix_nanos` and the time of the
// damaged file's last write, in microseconds (ISO-9), as far as the host's certificate beside it lets both be
// believed (common/crypto/credible_time.h). `set_aside` is there also when an earlier start was
// killed before it could record that.
absl::StatusOr<OpenedDatabase> OpenAgentDatabase(const std::filesystem::path& path, int64_t now_unix_nanos);

// The same for a file that SQLite takes for healthy and that is not: renames it and makes a new one. No
// connection to the old one may be open.
absl::StatusOr<OpenedDatabase> SetAsideAgentDatabase(const std::filesystem::path& path,
                                                     std::string_view damage, int64_t now_unix_nanos);

}  // namespace cordon::agent
