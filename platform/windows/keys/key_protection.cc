#include "platform/api/key_protection.h"

#include <spdlog/spdlog.h>

#include "common/base/status.h"
#include "platform/windows/keys/envelope.h"
#include "platform/windows/keys/sealing.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"
// clang-format off
#include "platform/windows/system/windows.h"
#include <dpapi.h>
// clang-format on

namespace cordon::platform {
namespace {

// Another program's call to open it does not open it by chance; it is no secret.
constexpr std::string_view kPurpose = "cordon-agent-key-v1";

DATA_BLOB BlobOf(std::string_view bytes) {
  // The calls only read what they are given.
  auto* const data = reinterpret_cast<BYTE*>(const_cast<char*>(bytes.data()));  // NOLINT
  return {.cbData = static_cast<DWORD>(bytes.size()), .pbData = data};
}

std::string TakeBytes(const DATA_BLOB& blob) {
  std::string bytes(reinterpret_cast<const char*>(blob.pbData), blob.cbData);
  SecureZeroMemory(blob.pbData, blob.cbData);
  LocalFree(blob.pbData);
  return bytes;
}

absl::StatusOr<std::string> SealByDpapi(std::string_view key) {
  DATA_BLOB in = BlobOf(key);
  DATA_BLOB purpose = BlobOf(kPurpose);
  DATA_BLOB out{};
  // For the machine: the service's account has no profile of its own whose secret would last.
  if (CryptProtectData(&in, nullptr, &purpose, nullptr, nullptr,
                       CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN, &out) == 0)
    return LastError("cannot seal a key for this machine");
  return TakeBytes(out);
}

absl::StatusOr<std::string> OpenByDpapi(std::string_view blob) {
  DATA_BLOB in = BlobOf(blob);
  DATA_BLOB purpose = BlobOf(kPurpose);
  DATA_BLOB out{};
  if (CryptUnprotectData(&in, nullptr, &purpose, nullptr, nullptr, CRYPTPROTECT_UI_FORBIDDEN, &out) == 0) {
    const absl::Status failed = LastError("this machine cannot open it");
    return absl::DataLossError(StrCat(Message(failed)));
  }
  return TakeBytes(out);
}

keys::DpapiCalls Dpapi() {
  return {.seal = SealByDpapi, .open = OpenByDpapi};
}

}  // namespace

absl::StatusOr<std::string> SealKey(std::string_view key) {
  std::string notice;
  absl::StatusOr<std::string> sealed = keys::Seal(keys::MakeNcryptCalls(), Dpapi(), key, &notice);
  if (!notice.empty()) spdlog::info("{}", notice);
  return sealed;
}

absl::StatusOr<std::string> OpenKey(std::string_view bytes) {
  return keys::Open(keys::MakeNcryptCalls(), Dpapi(), bytes);
}

std::string_view WhatProtects(std::string_view bytes) {
  switch (keys::WhatSealed(bytes)) {
    case keys::SealedBy::kTpm:
      return "the TPM of this machine";
    case keys::SealedBy::kDpapi:
      return "DPAPI for this machine, and not by its TPM";
    case keys::SealedBy::kNothing:
      break;
  }
  return "nothing but the rights of its file";
}

}  // namespace cordon::platform
