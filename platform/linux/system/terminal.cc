#include "platform/api/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace cordon::platform {

bool InputIsTerminal() {
  return isatty(STDIN_FILENO) == 1;
}

bool OutputIsTerminal() {
  return isatty(STDOUT_FILENO) == 1;
}

bool ErrorIsTerminal() {
  return isatty(STDERR_FILENO) == 1;
}

int TerminalColumns() {
  winsize size{};
  constexpr int kUsual = 80;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace cordon::platform
