#include "common/crypto/openssl_error.h"

#include <openssl/err.h>

#include <array>

#include "common/base/strings.h"

namespace cordon {

absl::Status OpenSslError(std::string_view what) {
  const unsigned long code = ERR_peek_last_error();
  std::array<char, 256> text{};
  if (code != 0) ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return absl::InternalError(code == 0 ? std::string(what) : StrCat(what, ": ", text.data()));
}

void ClearOpenSslErrors() {
  ERR_clear_error();
}

}  // namespace cordon
