#include "platform/api/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace cordon::platform {
namespace {

constexpr char kCtrlC = 3;
constexpr size_t kMaxSecretBytes = 1'024;

// A terminal that shows nothing of what is typed, until the object goes. Ctrl-C ends the line instead of the
// program, so that the terminal is never left silent.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd), good_(tcgetattr(fd, &before_) == 0) {
    if (!good_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    silent.c_cc[VEOL] = kCtrlC;
    good_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (good_) tcsetattr(fd_, TCSAFLUSH, &before_);
    close(fd_);
  }

  bool Good() const { return good_; }
  void Write(std::string_view text) const {
    // A prompt that cannot be written is no reason not to read.
    [[maybe_unused]] const ssize_t written = write(fd_, text.data(), text.size());
  }
  // One line; empty at the end of input.
  std::string Read() const {
    std::array<char, kMaxSecretBytes> buffer{};
    ssize_t size = 0;
    do {
      size = read(fd_, buffer.data(), buffer.size());
    } while (size < 0 && errno == EINTR);
    return {buffer.data(), static_cast<size_t>(size > 0 ? size : 0)};
  }

 private:
  int fd_;
  termios before_{};
  bool good_;
};

}  // namespace

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

absl::StatusOr<std::string> AskSecret(std::string_view prompt) {
  const int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return absl::UnavailableError("there is no terminal to ask on");
  const SilentTerminal terminal(fd);
  if (!terminal.Good())
    return absl::UnavailableError("the terminal cannot be kept from showing what is typed");
  terminal.Write(prompt);
  std::string line = terminal.Read();
  terminal.Write("\n");
  if (line.empty() || line.back() == kCtrlC) return absl::AbortedError("nothing was entered");
  if (line.back() == '\n') line.pop_back();
  return line;
}

}  // namespace cordon::platform
