#include "platform/windows/system/agent_folder.h"

#include "common/base/status.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr const wchar_t* kUsersRead = L"O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FRFX;;;BU)";
constexpr const wchar_t* kUsersReadOfWhoeverMadeIt =
    L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FRFX;;;BU)(A;OICI;FA;;;OW)";

}  // namespace

std::filesystem::path AgentFolder() {
  wchar_t* path = nullptr;
  const bool found = SHGetKnownFolderPath(FOLDERID_ProgramData, 0, nullptr, &path) == S_OK;
  const std::filesystem::path folder = found ? path : L"C:\\ProgramData";
  CoTaskMemFree(path);
  return folder / "Cordon";
}

absl::Status MakeAgentFolder() {
  // Only administrators may give what they make to Administrators.
  return MakeTrustedFolder(AgentFolder(),
                           TokenHolds("S-1-5-32-544") ? kUsersRead : kUsersReadOfWhoeverMadeIt);
}

absl::Status MakeTrustedFolder(const std::filesystem::path& path, const wchar_t* descriptor) {
  CORDON_ASSIGN_OR_RETURN(const auto security, SecurityDescriptor::Parse(descriptor));
  const std::string cannot_make = StrCat("cannot make the folder ", Shown(path));
  if (CreateDirectoryW(LongPath(path).c_str(), security->Attributes()) == 0 &&
      GetLastError() != ERROR_ALREADY_EXISTS)
    return LastError(cannot_make);
  // For one that stood there before. What was looked at is what is changed.
  const std::string cannot_set = StrCat("cannot set the rights of ", Shown(path));
  const Handle folder(CreateFileW(LongPath(path).c_str(), READ_CONTROL | WRITE_DAC | FILE_READ_ATTRIBUTES,
                                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                  OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS,
                                  nullptr));
  if (!folder.Valid()) return LastError(cannot_set);
  CORDON_RETURN_IF_ERROR(CheckIsTrusted(folder.Get(), path));
  if (SetKernelObjectSecurity(folder.Get(), DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                              security->Get()) == 0)
    return LastError(cannot_set);
  return absl::OkStatus();
}

}  // namespace cordon::platform
