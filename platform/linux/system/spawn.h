#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace cordon::platform {

// Starts the program `words[0]` with these arguments, `input` as its standard input, an empty environment and
// no signal blocked; with `silent`, what it writes to its standard output goes nowhere. The caller waits for
// it.
absl::StatusOr<pid_t> SpawnBare(std::vector<std::string> words, int input, bool silent);

}  // namespace cordon::platform
