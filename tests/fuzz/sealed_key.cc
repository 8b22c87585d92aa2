// Files of sealed keys on Windows: whoever gets at the state folder can write there (AUT-6).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "platform/windows/keys/envelope.h"

namespace keys = cordon::platform::keys;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto envelope = keys::ReadEnvelope(bytes);
  if (!envelope.ok()) return 0;
  // One form alone for each envelope, and what was read may be written.
  if (keys::WhatSealed(bytes) != keys::SealedBy::kTpm) std::abort();
  const auto again = keys::WriteEnvelope(*envelope);
  if (!again.ok() || *again != bytes) std::abort();
  return 0;
}
