#include "platform/windows/registry/registry_changes.h"

#include <algorithm>
#include <cstring>

#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "platform/windows/files/name_bytes.h"

namespace cordon::platform {
namespace {

constexpr size_t kMostTextBytes = 256;

enum Type : uint32_t { kSz = 1, kExpandSz = 2, kDword = 4, kMultiSz = 7, kQword = 11 };

std::string_view Bytes(std::span<const uint8_t> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

// Nobody makes sure that there is a zero at the end, that there is but one, or that the length is even.
std::string TextOfUnits(std::span<const uint8_t> data, bool several) {
  std::u16string units(std::min(data.size(), 4 * kMostTextBytes) / sizeof(char16_t), u'\0');
  for (size_t at = 0; at < units.size(); ++at)
    units[at] = static_cast<char16_t>(data[2 * at] | (data[2 * at + 1] << 8));
  if (!several) units.resize(std::min(units.find(u'\0'), units.size()));
  while (units.ends_with(u'\0')) units.pop_back();
  std::string text;
  for (const char c : BytesOfUnits(units)) text += c == '\0' ? std::string(" | ") : std::string(1, c);
  return text;
}

// Within the limit and between two characters.
std::string Shortened(std::string text, bool more) {
  if (text.size() <= kMostTextBytes && !more) return text;
  size_t end = std::min(text.size(), kMostTextBytes);
  while (end > 0 && end < text.size() && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "\xe2\x80\xa6";
}

template <typename Number>
std::string NumberText(std::span<const uint8_t> data) {
  Number number = 0;
  std::memcpy(&number, data.data(), sizeof(number));
  return StrCat(number);
}

}  // namespace

std::string RegistryText(uint32_t type, std::span<const uint8_t> data) {
  if (type == kDword && data.size() == sizeof(uint32_t)) return NumberText<uint32_t>(data);
  if (type == kQword && data.size() == sizeof(uint64_t)) return NumberText<uint64_t>(data);
  if (type == kSz || type == kExpandSz || type == kMultiSz)
    return Shortened(TextOfUnits(data, type == kMultiSz), data.size() > 4 * kMostTextBytes);
  const std::span<const uint8_t> head = data.first(std::min(data.size(), kMostTextBytes / 2));
  return Shortened(HexEncode(Bytes(head)), data.size() > head.size());
}

RegistryEntry EntryOfValue(uint32_t type, std::span<const uint8_t> data) {
  return {
      .is_key = false, .size = data.size(), .sha256 = Sha256(Bytes(data)), .text = RegistryText(type, data)};
}

std::vector<RegistryChange> CompareSnapshots(const RegistrySnapshot& before, const RegistrySnapshot& after,
                                             bool whole) {
  std::vector<RegistryChange> changes;
  for (const auto& [path, entry] : after) {
    const auto known = before.find(path);
    if (known == before.end()) {
      changes.push_back({.kind = RawFileEvent::kCreated, .path = path, .entry = entry});
    } else if (known->second != entry) {
      changes.push_back({.kind = RawFileEvent::kModified, .path = path, .entry = entry});
    }
  }
  if (!whole) return changes;
  for (const auto& [path, entry] : before) {
    if (!after.contains(path))
      changes.push_back({.kind = RawFileEvent::kDeleted, .path = path, .entry = entry});
  }
  return changes;
}

}  // namespace cordon::platform
