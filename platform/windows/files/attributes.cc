#include <memory>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/file_tree.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr DWORD kSecurity =
    OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

// Owner and access control list, as text.
absl::StatusOr<std::string> SecurityText(const std::filesystem::path& path) {
  const std::string what = StrCat("cannot read the rights of ", Printable(Shown(path)));
  LocalMemory<PSECURITY_DESCRIPTOR> descriptor;
  const DWORD read = GetNamedSecurityInfoW(LongPath(path).c_str(), SE_FILE_OBJECT, kSecurity, nullptr,
                                           nullptr, nullptr, nullptr, descriptor.Out());
  if (read != ERROR_SUCCESS) return WindowsError(read, what);
  LocalMemory<wchar_t*> text;
  if (ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor.Get(), SDDL_REVISION_1, kSecurity,
                                                           text.Out(), nullptr) == 0)
    return LastError(what);
  return Narrow(text.Get());
}

// Names and sizes of the file's other streams: where content hides from whoever looks at the file alone.
std::string StreamsText(const std::filesystem::path& path) {
  WIN32_FIND_STREAM_DATA stream{};
  HANDLE const search = FindFirstStreamW(LongPath(path).c_str(), FindStreamInfoStandard, &stream, 0);
  if (search == INVALID_HANDLE_VALUE) return {};  // folders, and file systems that have none
  const std::unique_ptr<void, decltype([](void* open) { FindClose(open); })> closer(search);
  std::string text;
  do {
    const std::wstring_view name = stream.cStreamName;
    if (name != L"::$DATA") StrAppend(&text, Narrow(name), " ", stream.StreamSize.QuadPart, "\n");
  } while (FindNextStreamW(search, &stream) != 0);
  return text;
}

}  // namespace

absl::StatusOr<FileAttributes> ReadAttributes(const std::filesystem::path& path) {
  CORDON_ASSIGN_OR_RETURN(const std::string security, SecurityText(path));
  return FileAttributes{.sha256 = Sha256(StrCat(security, "\n", StreamsText(path))), .capabilities = {}};
}

absl::StatusOr<FileAttributes> ReadAttributes(const OpenFile& file) {
  return ReadAttributes(file.Path());
}

}  // namespace cordon::platform
