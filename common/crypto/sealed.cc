#include "common/crypto/sealed.h"

#include "common/base/strings.h"
#include "common/crypto/digest.h"

namespace cordon {

std::string Seal(std::string_view magic, std::string_view body) {
  return StrCat(magic, Sha256(body), body);
}

absl::StatusOr<std::string> Unseal(std::string_view magic, std::string_view bytes) {
  const absl::Status damaged = absl::DataLossError("cut, altered or of another kind");
  if (!bytes.starts_with(magic)) return damaged;
  bytes.remove_prefix(magic.size());
  if (bytes.size() < kSha256Bytes) return damaged;
  const std::string_view hash = bytes.substr(0, kSha256Bytes);
  const std::string_view body = bytes.substr(kSha256Bytes);
  if (Sha256(body) != hash) return damaged;
  return std::string(body);
}

}  // namespace cordon
