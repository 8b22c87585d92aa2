#pragma once

// The terminal that a person sits at, if one does.

namespace cordon::platform {

bool InputIsTerminal();
bool OutputIsTerminal();
bool ErrorIsTerminal();

// Columns of the terminal behind standard error; 80 when it cannot be told.
int TerminalColumns();

}  // namespace cordon::platform
