#pragma once

// Which of the machine's protections seals a key, and which one opens it again.

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "platform/windows/keys/tpm.h"

namespace cordon::platform::keys {

// DPAPI for the machine; both take and give bytes without any line before them.
struct DpapiCalls {
  std::function<absl::StatusOr<std::string>(std::string_view key)> seal;
  std::function<absl::StatusOr<std::string>(std::string_view blob)> open;
};

// By the TPM, or else by DPAPI; `notice` says then why not by the TPM.
absl::StatusOr<std::string> Seal(const NcryptCalls& tpm, const DpapiCalls& dpapi, std::string_view key,
                                 std::string* notice);

// By what the bytes say. Ones that nothing has sealed are given as they are.
absl::StatusOr<std::string> Open(const NcryptCalls& tpm, const DpapiCalls& dpapi, std::string_view bytes);

}  // namespace cordon::platform::keys
