#pragma once

#include <string>
#include <string_view>

#include "cordon/v1/event.pb.h"

namespace cordon {

// The hash that the next batch of the chain names as previous_hash (TEL-3); layout in docs/protocol.md.
std::string BatchHash(std::string_view host_id, const v1::Batch& batch);

// 32 zero bytes: what the first batch of a chain names.
std::string FirstPreviousHash();

}  // namespace cordon
