#pragma once

// The terminal that a person sits at, if one does.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon::platform {

bool InputIsTerminal();
bool OutputIsTerminal();
bool ErrorIsTerminal();

// Columns of the terminal behind standard error; 80 when it cannot be told.
int TerminalColumns();

// Asks on the terminal itself, wherever input and output lead, and does not show what is typed. UNAVAILABLE:
// there is no terminal. ABORTED: the person gave up (Ctrl-C, Ctrl-D). At most 1,024 bytes count.
absl::StatusOr<std::string> AskSecret(std::string_view prompt);

}  // namespace cordon::platform
