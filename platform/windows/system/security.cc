#include "platform/windows/system/security.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <string_view>

#include "common/base/strings.h"
#include "platform/windows/system/owners.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/token_facts.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {

absl::StatusOr<std::unique_ptr<SecurityDescriptor>> SecurityDescriptor::Parse(const wchar_t* text) {
  auto made = std::make_unique<SecurityDescriptor>();
  if (ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, made->descriptor_.Out(),
                                                           nullptr) == 0)
    return LastError("cannot make a security descriptor");
  made->attributes_ = {.nLength = sizeof(SECURITY_ATTRIBUTES),
                       .lpSecurityDescriptor = made->descriptor_.Get(),
                       .bInheritHandle = FALSE};
  return made;
}

std::string ServiceSid(const std::wstring& name) {
  // S-1-5-80- and SHA-1 of the name in capitals as UTF-16LE, as five numbers.
  std::wstring capitals = name;
  CharUpperBuffW(capitals.data(), static_cast<DWORD>(capitals.size()));
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int length = 0;
  EVP_Digest(capitals.data(), capitals.size() * sizeof(wchar_t), hash.data(), &length, EVP_sha1(), nullptr);
  std::string sid = "S-1-5-80";
  for (size_t at = 0; at < 5; ++at) {
    uint32_t part = 0;
    std::memcpy(&part, hash.data() + at * sizeof(part), sizeof(part));
    StrAppend(&sid, "-", part);
  }
  return sid;
}

bool TokenHolds(const std::string& sid) {
  LocalMemory<PSID> parsed;
  BOOL holds = FALSE;
  return ConvertStringSidToSidW(Wide(sid).c_str(), parsed.Out()) != 0 &&
         CheckTokenMembership(nullptr, parsed.Get(), &holds) != 0 && holds != FALSE;
}

absl::Status CheckIsTrusted(HANDLE object, const std::filesystem::path& path) {
  const std::string what = StrCat("cannot tell whose ", Shown(path), " is");
  FILE_BASIC_INFO info{};
  if (GetFileInformationByHandleEx(object, FileBasicInfo, &info, sizeof(info)) == 0) return LastError(what);
  if ((info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
    return absl::FailedPreconditionError(StrCat(Shown(path), " is a link; remove it"));
  LocalMemory<PSECURITY_DESCRIPTOR> descriptor;
  PSID owner = nullptr;
  const DWORD read = GetSecurityInfo(object, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, nullptr,
                                     nullptr, nullptr, descriptor.Out());
  if (read != ERROR_SUCCESS) return WindowsError(read, what);
  const std::string sid = SidText(owner);
  if (IsTrustedOwner(sid, ReadToken(GetCurrentProcess()).user_sid)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(Shown(path), " belongs to ", sid,
             ", who is neither the system nor an administrator; look at what is "
             "in it, then remove it, or give it to Administrators (takeown /a /f)"));
}

}  // namespace cordon::platform
