#include "platform/api/key_protection.h"

namespace cordon::platform {

// There is nothing on every machine to seal it with that is not on the same disk.
absl::StatusOr<std::string> SealKey(std::string_view key) {
  return std::string(key);
}

absl::StatusOr<std::string> OpenKey(std::string_view bytes) {
  return std::string(bytes);
}

std::string_view WhatProtects(std::string_view /*bytes*/) {
  return "nothing but the rights of its file";
}

}  // namespace cordon::platform
