#pragma once

// What seals an operator's private keys (AUT-3): a file that holds it, or a person at a terminal.

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "common/crypto/key.h"

namespace cordon::controller {

inline constexpr size_t kMinPassphraseBytes = 12;
inline constexpr size_t kMaxPassphraseBytes = 1'024;

// Asks a person, without showing what is typed. UNAVAILABLE: there is nobody to ask.
using AskSecret = std::function<absl::StatusOr<std::string>(std::string_view prompt)>;

struct PassphraseSource {
  std::string file;    // --passphrase-file or CORDON_PASSPHRASE_FILE; its first line counts
  bool none = false;   // --no-passphrase: new keys are not sealed
  AskSecret ask = {};  // empty: nobody to ask
};

// A passphrase for new keys, asked for twice; empty only when `none` says so. INVALID_ARGUMENT: too short or
// too long, the two differ, or nobody can be asked and nothing was said.
absl::StatusOr<std::string> ChoosePassphrase(const PassphraseSource& source);

// The private key in `pem`, sealed or not; `what` names it to the person who is asked, up to three times.
// FAILED_PRECONDITION: it is sealed, and nobody can be asked. PERMISSION_DENIED: the passphrase is another.
absl::StatusOr<KeyPtr> OpenKey(std::string_view pem, const PassphraseSource& source, std::string_view what);

// `key` as PEM, sealed unless the passphrase is empty.
absl::StatusOr<std::string> KeyText(const EVP_PKEY& key, std::string_view passphrase);

}  // namespace cordon::controller
