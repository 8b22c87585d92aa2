#pragma once

#include <absl/status/status.h>

#include <memory>
#include <string_view>

namespace cordon {

// INTERNAL "what: OpenSSL's newest reason"; empties this thread's OpenSSL error queue.
absl::Status OpenSslError(std::string_view what);

// Empties this thread's OpenSSL error queue, after a failure that was expected.
void ClearOpenSslErrors();

// Owns an OpenSSL object: OpenSslPtr<EVP_PKEY, EVP_PKEY_free>.
template <auto Free>
struct OpenSslDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <typename T, auto Free>
using OpenSslPtr = std::unique_ptr<T, OpenSslDeleter<Free>>;

}  // namespace cordon
