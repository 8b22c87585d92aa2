#include "platform/windows/system/text.h"

#include <algorithm>

#include "common/base/strings.h"
#include "platform/windows/system/handle.h"

namespace cordon::platform {
namespace {

std::string ErrorText(DWORD error) {
  LocalMemory<wchar_t*> text;
  constexpr DWORD kFlags =
      FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  const DWORD length =
      FormatMessageW(kFlags, nullptr, error, 0, reinterpret_cast<wchar_t*>(text.Out()), 0, nullptr);
  if (length == 0) return "error";
  std::string line = Narrow({text.Get(), length});
  while (!line.empty() &&
         (line.back() == '\n' || line.back() == '\r' || line.back() == '.' || line.back() == ' '))
    line.pop_back();
  return line;
}

absl::StatusCode CodeOf(DWORD error) {
  switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_NETPATH:
    case ERROR_SERVICE_DOES_NOT_EXIST:
      return absl::StatusCode::kNotFound;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
      return absl::StatusCode::kPermissionDenied;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
    case ERROR_SERVICE_EXISTS:
      return absl::StatusCode::kAlreadyExists;
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
      return absl::StatusCode::kUnimplemented;
    case ERROR_DISK_FULL:
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

std::wstring Wide(std::string_view text) {
  if (text.empty()) return {};
  const int bytes = static_cast<int>(text.size());
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0);
  std::wstring wide(static_cast<size_t>(std::max(length, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, wide.data(), length);
  return wide;
}

std::string Narrow(std::wstring_view text) {
  if (text.empty()) return {};
  const int units = static_cast<int>(text.size());
  const int length = WideCharToMultiByte(CP_UTF8, 0, text.data(), units, nullptr, 0, nullptr, nullptr);
  std::string narrow(static_cast<size_t>(std::max(length, 0)), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text.data(), units, narrow.data(), length, nullptr, nullptr);
  return narrow;
}

std::string Shown(const std::filesystem::path& path) {
  return Narrow(path.native());
}

absl::Status WindowsError(unsigned long error, std::string_view what) {
  return absl::Status(CodeOf(error), StrCat(what, ": ", ErrorText(error), " (", error, ")"));
}

absl::Status LastError(std::string_view what) {
  const DWORD error = GetLastError();
  return WindowsError(error, what);
}

std::wstring LongPath(const std::filesystem::path& path) {
  std::wstring text = path.lexically_normal().native();  // such a path is taken as it is, with "." and ".."
  std::ranges::replace(text, L'/', L'\\');
  if (text.starts_with(LR"(\\)")) {
    return text.starts_with(LR"(\\?\)") || text.starts_with(LR"(\\.\)") ? text
                                                                        : LR"(\\?\UNC)" + text.substr(1);
  }
  return path.is_absolute() ? LR"(\\?\)" + text : text;
}

}  // namespace cordon::platform
