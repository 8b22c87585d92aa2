// The calls of NCrypt as they are.

#include <array>

#include "platform/windows/keys/tpm.h"
// clang-format off
#include "platform/windows/system/windows.h"
#include <ncrypt.h>
// clang-format on

namespace cordon::platform::keys {
namespace {

constexpr const wchar_t* kProvider = L"Microsoft Platform Crypto Provider";
constexpr const wchar_t* kKeyName = L"CordonAgentKeys";
constexpr DWORD kOfMachine = NCRYPT_MACHINE_KEY_FLAG | NCRYPT_SILENT_FLAG;
constexpr DWORD kKeyBits = 2'048;
constexpr size_t kMostBytes = 1'024;

using Handle = NcryptCalls::Handle;
using Result = NcryptCalls::Result;

Result ResultOf(SECURITY_STATUS status) {
  return static_cast<Result>(status);
}

BCRYPT_OAEP_PADDING_INFO Oaep() {
  return {.pszAlgId = BCRYPT_SHA256_ALGORITHM, .pbLabel = nullptr, .cbLabel = 0};
}

Result OpenProvider(Handle* provider) {
  NCRYPT_PROV_HANDLE opened = 0;
  const SECURITY_STATUS status = NCryptOpenStorageProvider(&opened, kProvider, 0);
  *provider = opened;
  return ResultOf(status);
}

Result InHardware(Handle provider, bool* hardware) {
  DWORD kind = 0;
  DWORD size = 0;
  const SECURITY_STATUS status =
      NCryptGetProperty(static_cast<NCRYPT_HANDLE>(provider), NCRYPT_IMPL_TYPE_PROPERTY,
                        reinterpret_cast<BYTE*>(&kind), sizeof(kind), &size, NCRYPT_SILENT_FLAG);
  *hardware = status == ERROR_SUCCESS && (kind & NCRYPT_IMPL_HARDWARE_FLAG) != 0;
  return ResultOf(status);
}

Result OpenKeyOfMachine(Handle provider, Handle* key) {
  NCRYPT_KEY_HANDLE opened = 0;
  const SECURITY_STATUS status =
      NCryptOpenKey(static_cast<NCRYPT_PROV_HANDLE>(provider), &opened, kKeyName, 0, kOfMachine);
  *key = opened;
  return ResultOf(status);
}

Result CreateKey(Handle provider, Handle* key) {
  NCRYPT_KEY_HANDLE made = 0;
  const SECURITY_STATUS status =
      NCryptCreatePersistedKey(static_cast<NCRYPT_PROV_HANDLE>(provider), &made, BCRYPT_RSA_ALGORITHM,
                               kKeyName, 0, NCRYPT_MACHINE_KEY_FLAG);
  *key = made;
  return ResultOf(status);
}

Result SetNumber(Handle key, const wchar_t* property, DWORD number) {
  return ResultOf(NCryptSetProperty(static_cast<NCRYPT_HANDLE>(key), property,
                                    reinterpret_cast<BYTE*>(&number), sizeof(number), NCRYPT_SILENT_FLAG));
}

Result LimitKey(Handle key) {
  const Result length = SetNumber(key, NCRYPT_LENGTH_PROPERTY, kKeyBits);
  return length != 0 ? length : SetNumber(key, NCRYPT_KEY_USAGE_PROPERTY, NCRYPT_ALLOW_DECRYPT_FLAG);
}

Result FinalizeKey(Handle key) {
  return ResultOf(NCryptFinalizeKey(static_cast<NCRYPT_KEY_HANDLE>(key), NCRYPT_SILENT_FLAG));
}

template <typename Call>
Result Crypt(Call call, Handle key, std::string_view in, std::string* out) {
  BCRYPT_OAEP_PADDING_INFO padding = Oaep();
  std::array<BYTE, kMostBytes> buffer{};
  DWORD size = 0;
  // The calls only read what they are given.
  auto* const bytes = reinterpret_cast<BYTE*>(const_cast<char*>(in.data()));  // NOLINT
  const SECURITY_STATUS status =
      call(static_cast<NCRYPT_KEY_HANDLE>(key), bytes, static_cast<DWORD>(in.size()), &padding, buffer.data(),
           static_cast<DWORD>(buffer.size()), &size, NCRYPT_PAD_OAEP_FLAG | NCRYPT_SILENT_FLAG);
  if (status == ERROR_SUCCESS) out->assign(reinterpret_cast<const char*>(buffer.data()), size);
  SecureZeroMemory(buffer.data(), buffer.size());
  return ResultOf(status);
}

}  // namespace

NcryptCalls MakeNcryptCalls() {
  return {.open_provider = OpenProvider,
          .in_hardware = InHardware,
          .open_key = OpenKeyOfMachine,
          .create_key = CreateKey,
          .limit_key = LimitKey,
          .finalize_key = FinalizeKey,
          .encrypt = [](Handle key, std::string_view text,
                        std::string* wrapped) { return Crypt(NCryptEncrypt, key, text, wrapped); },
          .decrypt = [](Handle key, std::string_view wrapped,
                        std::string* text) { return Crypt(NCryptDecrypt, key, wrapped, text); },
          .free = [](Handle object) { NCryptFreeObject(static_cast<NCRYPT_HANDLE>(object)); }};
}

}  // namespace cordon::platform::keys
