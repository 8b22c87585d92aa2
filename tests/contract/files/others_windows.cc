// The access control list, as text: whether it allows anything to everyone (WD), users (BU) or whoever is
// logged on (AU).

#include <stdexcept>
#include <string>
// clang-format off
#include <windows.h>
#include <aclapi.h>
#include <sddl.h>
// clang-format on

#include "tests/contract/files/others.h"

namespace cordon::testing {

bool OthersMayRead(const std::filesystem::path& path) {
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  wchar_t* text = nullptr;
  if (GetNamedSecurityInfoW(path.c_str(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr,
                            nullptr, nullptr, &descriptor) != ERROR_SUCCESS ||
      ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1,
                                                           DACL_SECURITY_INFORMATION, &text, nullptr) == 0)
    throw std::runtime_error("cannot read the access control list of " + path.string());
  const std::wstring list(text);
  LocalFree(text);
  LocalFree(descriptor);
  for (const wchar_t* const who : {L";;;WD)", L";;;BU)", L";;;AU)"})
    if (list.find(who) != std::wstring::npos) return true;
  return false;
}

std::string UnfinishedName(const std::string& name) {
  return "." + name + ".0f3a91bc";
}

}  // namespace cordon::testing
