#pragma once

// Windows gives a pid to the next process as soon as its last one is gone. No Windows header: tested on every
// system.

#include <cstdint>
#include <map>

#include "platform/api/process_source.h"

namespace cordon::platform {

// Whether the process that has a pid now, which started at `start`, can be the one whose start an event told
// at `told`; times in units of 100 ns. Events are read up to a second late.
bool CanBeOf(uint64_t start, uint64_t told);

// The process that had `parent_pid` when `child` started; nothing where only a younger one is known.
ProcessKey ParentOf(const ProcessKey& child, uint32_t parent_pid,
                    const std::map<uint32_t, ProcessKey>& known);

}  // namespace cordon::platform
