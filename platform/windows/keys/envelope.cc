#include "platform/windows/keys/envelope.h"

#include "common/base/status.h"
#include "common/crypto/aead.h"

namespace cordon::platform::keys {
namespace {

constexpr size_t kMostWrapped = 1'024;
constexpr size_t kMostSealed = 0xffff;

bool InBounds(const TpmEnvelope& envelope) {
  return !envelope.wrapped_key.empty() && envelope.wrapped_key.size() <= kMostWrapped &&
         envelope.nonce.size() == kAeadNonceBytes && envelope.sealed.size() >= kAeadTagBytes &&
         envelope.sealed.size() <= kMostSealed;
}

void WritePart(const std::string& part, std::string* to) {
  to->push_back(static_cast<char>(part.size() >> 8U));
  to->push_back(static_cast<char>(part.size() & 0xffU));
  to->append(part);
}

// False when there is not that much.
bool ReadPart(std::string_view* from, std::string* part) {
  if (from->size() < 2) return false;
  const size_t size = size_t{static_cast<uint8_t>((*from)[0])} << 8U | static_cast<uint8_t>((*from)[1]);
  if (from->size() - 2 < size) return false;
  part->assign(from->substr(2, size));
  from->remove_prefix(2 + size);
  return true;
}

}  // namespace

SealedBy WhatSealed(std::string_view bytes) {
  if (bytes.starts_with(kTpmLine)) return SealedBy::kTpm;
  return bytes.starts_with(kDpapiLine) ? SealedBy::kDpapi : SealedBy::kNothing;
}

absl::StatusOr<std::string> WriteEnvelope(const TpmEnvelope& envelope) {
  if (!InBounds(envelope)) return absl::InvalidArgumentError("a sealed key is longer than its file may be");
  std::string bytes(kTpmHead);
  WritePart(envelope.wrapped_key, &bytes);
  WritePart(envelope.nonce, &bytes);
  WritePart(envelope.sealed, &bytes);
  return bytes;
}

absl::StatusOr<TpmEnvelope> ReadEnvelope(std::string_view bytes) {
  if (!bytes.starts_with(kTpmLine) || bytes.size() < kTpmHead.size())
    return absl::DataLossError("it is cut or damaged");
  if (!bytes.starts_with(kTpmHead))
    return absl::DataLossError("it is damaged, or was sealed by a newer agent: install that one again");
  TpmEnvelope envelope;
  std::string_view rest = bytes.substr(kTpmHead.size());
  const bool whole = ReadPart(&rest, &envelope.wrapped_key) && ReadPart(&rest, &envelope.nonce) &&
                     ReadPart(&rest, &envelope.sealed) && rest.empty();
  if (!whole || !InBounds(envelope)) return absl::DataLossError("it is cut or damaged");
  return envelope;
}

}  // namespace cordon::platform::keys
