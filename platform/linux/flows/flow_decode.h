#pragma once

// The pure half: the kernel side's records from bytes.

#include <optional>
#include <span>

#include "platform/api/flow_source.h"

namespace cordon::platform {

// Nothing when the bytes are no record.
std::optional<RawFlow> DecodeFlow(std::span<const char> bytes, uint32_t agent_mark);

}  // namespace cordon::platform
