#include "platform/api/file_source.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

std::filesystem::path Folder(const wchar_t* variable, const wchar_t* otherwise) {
  wchar_t value[MAX_PATH + 1] = {};
  const DWORD length = GetEnvironmentVariableW(variable, value, std::size(value));
  return length == 0 || length >= std::size(value) ? otherwise : value;
}

}  // namespace

// Programs, what starts by itself, and people's documents. Left out: what Windows itself changes all the
// time.
FileWatch DefaultFileWatch() {
  const std::filesystem::path windows = Folder(L"SystemRoot", L"C:\\Windows");
  const std::filesystem::path data = Folder(L"ProgramData", L"C:\\ProgramData");
  const std::filesystem::path system = windows / "System32";
  return {
      .roots = {system / "drivers", system / "Tasks", system / "GroupPolicy",
                system / "config" / "systemprofile", Folder(L"ProgramFiles", L"C:\\Program Files"),
                Folder(L"ProgramFiles(x86)", L"C:\\Program Files (x86)"),
                data / "Microsoft" / "Windows" / "Start Menu", FoldersOfPeople().front()},
      .excluded = {data / "Microsoft" / "Windows Defender"},
      .canary = {},
  };
}

std::vector<std::filesystem::path> FoldersOfPeople() {
  return {Folder(L"PUBLIC", L"C:\\Users\\Public").parent_path()};
}

}  // namespace cordon::platform
