// Tries what a sandboxed child must not be able to do, as it is told, and says how it went.

#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <string>
#include <vector>

#include "common/base/strings.h"
#include "platform/api/sandboxed_child.h"
#include "platform/windows/system/handle.h"

namespace {

using cordon::StrCat;
using cordon::platform::Handle;

std::string Open() {
  const Handle file(CreateFileW(L"C:\\windows\\win.ini", GENERIC_READ, FILE_SHARE_READ, nullptr,
                                OPEN_EXISTING, 0, nullptr));
  return file.Valid() ? "opened" : StrCat("error ", GetLastError());
}

std::string Socket() {
  WSADATA data{};
  if (const int error = WSAStartup(MAKEWORD(2, 2), &data); error != 0) return StrCat("error ", error);
  return socket(AF_INET, SOCK_STREAM, 0) == INVALID_SOCKET ? StrCat("error ", WSAGetLastError()) : "opened";
}

std::string Start() {
  wchar_t line[] = L"C:\\windows\\system32\\ping.exe";
  STARTUPINFOW startup{};
  startup.cb = sizeof(startup);
  PROCESS_INFORMATION made{};
  if (CreateProcessW(nullptr, line, nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, &made) == 0)
    return StrCat("error ", GetLastError());
  return "started";
}

// The token that the first thread began with is to be gone.
std::string ThreadToken() {
  HANDLE raw = nullptr;
  if (OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &raw) != 0) return "still there";
  return GetLastError() == ERROR_NO_TOKEN ? "none" : StrCat("error ", GetLastError());
}

std::string Environment() {
  std::string all;
  const wchar_t* const block = GetEnvironmentStringsW();
  for (const wchar_t* at = block; *at != L'\0'; at += std::wcslen(at) + 1) {
    for (const wchar_t* c = at; *c != L'\0'; ++c) all.push_back(static_cast<char>(*c));
    all.push_back('\n');
  }
  return all;
}

std::string Memory() {
  std::vector<char*> pieces;
  for (int i = 0; i < 4096; ++i) {
    auto* const piece = static_cast<char*>(malloc(1 << 20));
    if (piece == nullptr) return StrCat("no more after ", i);
    std::memset(piece, 1, 1 << 20);
    pieces.push_back(piece);
  }
  return "4 GiB";
}

std::string Try(const cordon::platform::SandboxRequest& request) {
  const std::string& what = request.message;
  if (what.starts_with("echo")) return what;
  if (what == "content") return request.content.has_value() ? std::string(*request.content) : "none";
  if (what == "open") return Open();
  if (what == "socket") return Socket();
  if (what == "start") return Start();
  if (what == "thread token") return ThreadToken();
  if (what == "environment") return Environment();
  if (what == "memory") return Memory();
  if (what == "exit") std::_Exit(7);
  // Raised, since wine lets root write to address 0.
  if (what == "crash") RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 0, nullptr);
  if (what == "hang") Sleep(INFINITE);
  return "?";
}

}  // namespace

int main() {
  const auto channel =
      cordon::platform::EnterSandbox({.memory_bytes = uint64_t{256} << 20, .file_bytes = 5'000'000});
  if (!channel.ok()) return 1;
  while (const auto request = (*channel)->Receive()) {
    if (!(*channel)->Send(Try(*request)).ok()) return 1;
  }
  return 0;
}
