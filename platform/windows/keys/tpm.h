#pragma once

// Keys sealed by the machine's TPM, through Windows' own provider for it. Decided here, done by
// `NcryptCalls`.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace cordon::platform::keys {

// One function for each call of NCrypt, so that every way in which they can fail is tested where there is no
// TPM. They return what NCrypt does: 0, or a number of winerror.h (NTE_…, TPM_…).
struct NcryptCalls {
  using Handle = uint64_t;
  using Result = uint32_t;

  // NCryptOpenStorageProvider("Microsoft Platform Crypto Provider").
  std::function<Result(Handle* provider)> open_provider;
  // NCryptGetProperty("Impl Type"): whether keys are in hardware.
  std::function<Result(Handle provider, bool* hardware)> in_hardware;
  // NCryptOpenKey and NCryptCreatePersistedKey, of the machine's key for Cordon: RSA, one name.
  std::function<Result(Handle provider, Handle* key)> open_key;
  std::function<Result(Handle provider, Handle* key)> create_key;
  // NCryptSetProperty: 2,048 bits, for decryption alone. Then NCryptFinalizeKey.
  std::function<Result(Handle key)> limit_key;
  std::function<Result(Handle key)> finalize_key;
  // NCryptEncrypt and NCryptDecrypt: OAEP with SHA-256.
  std::function<Result(Handle key, std::string_view text, std::string* wrapped)> encrypt;
  std::function<Result(Handle key, std::string_view wrapped, std::string* text)> decrypt;
  // NCryptFreeObject.
  std::function<void(Handle)> free;
};

// The real ones.
NcryptCalls MakeNcryptCalls();

// The bytes of an envelope (envelope.h) that this machine's TPM opens; it has opened it once when this
// returns OK. Makes the key in the TPM when there is none, which may take seconds. UNIMPLEMENTED: no TPM that
// Windows uses. UNAVAILABLE: it did not do it, with the call and its number.
absl::StatusOr<std::string> SealByTpm(const NcryptCalls& calls, std::string_view key);

// DATA_LOSS: damaged, another machine's, or the key in the TPM is gone; no trying again helps. UNAVAILABLE:
// the TPM does not answer now.
absl::StatusOr<std::string> OpenByTpm(const NcryptCalls& calls, std::string_view bytes);

}  // namespace cordon::platform::keys
