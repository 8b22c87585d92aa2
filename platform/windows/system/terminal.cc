#include "platform/api/terminal.h"

#include <io.h>

#include <cstdio>

#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr DWORD kMaxSecretUnits = 1'024;
constexpr wchar_t kCtrlC = 3;

// A console that shows nothing of what is typed, until the object goes. Ctrl-C is read as a character.
class SilentConsole {
 public:
  SilentConsole()
      : in_(CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0,
                        nullptr)),
        out_(CreateFileW(L"CONOUT$", GENERIC_WRITE, FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr)) {
    good_ = in_.Valid() && out_.Valid() && GetConsoleMode(in_.Get(), &before_) != 0 &&
            SetConsoleMode(in_.Get(), ENABLE_LINE_INPUT) != 0;
  }
  SilentConsole(const SilentConsole&) = delete;
  SilentConsole& operator=(const SilentConsole&) = delete;
  ~SilentConsole() {
    if (good_) SetConsoleMode(in_.Get(), before_);
  }

  bool There() const { return in_.Valid() && out_.Valid(); }
  bool Good() const { return good_; }
  void Write(std::string_view text) const {
    const std::wstring wide = Wide(text);
    DWORD written = 0;
    WriteConsoleW(out_.Get(), wide.data(), static_cast<DWORD>(wide.size()), &written, nullptr);
  }
  std::wstring Read() const {
    std::wstring line(kMaxSecretUnits, L'\0');
    DWORD got = 0;
    if (ReadConsoleW(in_.Get(), line.data(), kMaxSecretUnits, &got, nullptr) == 0) got = 0;
    line.resize(got);
    return line;
  }

 private:
  Handle in_;
  Handle out_;
  DWORD before_ = 0;
  bool good_ = false;
};

bool IsConsole(FILE* stream) {
  return _isatty(_fileno(stream)) != 0;
}

}  // namespace

bool InputIsTerminal() {
  return IsConsole(stdin);
}
bool OutputIsTerminal() {
  return IsConsole(stdout);
}
bool ErrorIsTerminal() {
  return IsConsole(stderr);
}

int TerminalColumns() {
  constexpr int kUsual = 80;
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR_HANDLE), &info) == 0) return kUsual;
  const int columns = info.srWindow.Right - info.srWindow.Left + 1;
  return columns > 0 ? columns : kUsual;
}

absl::StatusOr<std::string> AskSecret(std::string_view prompt) {
  const SilentConsole console;
  if (!console.There()) return absl::UnavailableError("there is no terminal to ask on");
  if (!console.Good())
    return absl::UnavailableError("the terminal cannot be kept from showing what is typed");
  console.Write(prompt);
  std::wstring line = console.Read();
  console.Write("\r\n");
  while (!line.empty() && (line.back() == L'\n' || line.back() == L'\r')) line.pop_back();
  if (line.empty() || line.find(kCtrlC) != std::wstring::npos)
    return absl::AbortedError("nothing was entered");
  return Narrow(line);
}

}  // namespace cordon::platform
