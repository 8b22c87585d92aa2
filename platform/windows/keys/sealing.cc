#include "platform/windows/keys/sealing.h"

#include "common/base/status.h"
#include "platform/windows/keys/envelope.h"

namespace cordon::platform::keys {

absl::StatusOr<std::string> Seal(const NcryptCalls& tpm, const DpapiCalls& dpapi, std::string_view key,
                                 std::string* notice) {
  absl::StatusOr<std::string> by_tpm = SealByTpm(tpm, key);
  if (by_tpm.ok()) return by_tpm;
  *notice = StrCat("a key is sealed by DPAPI: ", Message(by_tpm.status()));
  CORDON_ASSIGN_OR_RETURN(const std::string blob, dpapi.seal(key));
  return StrCat(kDpapiLine, blob);
}

absl::StatusOr<std::string> Open(const NcryptCalls& tpm, const DpapiCalls& dpapi, std::string_view bytes) {
  switch (WhatSealed(bytes)) {
    case SealedBy::kTpm:
      return OpenByTpm(tpm, bytes);
    case SealedBy::kDpapi:
      return dpapi.open(bytes.substr(kDpapiLine.size()));
    case SealedBy::kNothing:
      break;
  }
  return std::string(bytes);
}

}  // namespace cordon::platform::keys
