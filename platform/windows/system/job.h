#pragma once

#include <absl/status/status.h>

namespace cordon::platform {

// Puts this process, and what it will start, under limits that keep a fault of the agent from becoming the
// machine's: memory in all, number of processes, and an end instead of a box that waits for somebody to
// click. For good.
absl::Status LimitThisProcess();

}  // namespace cordon::platform
