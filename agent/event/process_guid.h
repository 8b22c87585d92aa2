#pragma once

#include <string>
#include <string_view>

#include "platform/api/process_source.h"

namespace cordon::agent {

// One identity per process on every system: the first 16 bytes of SHA-256("cordon-process-v1\0" || be32(len)
// host_id
// || be32(len) boot_id || be32(pid) || be64(start_boottime_nanos)).
std::string ProcessGuid(std::string_view host_id, std::string_view boot_id,
                        const platform::ProcessKey& process);

}  // namespace cordon::agent
