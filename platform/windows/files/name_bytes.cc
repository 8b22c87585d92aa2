#include "platform/windows/files/name_bytes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace cordon::platform {
namespace {

constexpr uint32_t kSupplementary = 0x10000;
constexpr uint32_t kPastTheLast = 0x110000;
constexpr char16_t kReplacement = u'\ufffd';

bool IsHigh(char16_t unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
bool IsLow(char16_t unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

void AppendBytes(uint32_t number, std::string* bytes) {
  const auto tail = [&](int shift) {
    bytes->push_back(static_cast<char>(0x80 | ((number >> shift) & 0x3f)));
  };
  if (number < 0x80) {
    bytes->push_back(static_cast<char>(number));
  } else if (number < 0x800) {
    bytes->push_back(static_cast<char>(0xc0 | (number >> 6)));
    tail(0);
  } else if (number < kSupplementary) {
    bytes->push_back(static_cast<char>(0xe0 | (number >> 12)));
    tail(6);
    tail(0);
  } else {
    bytes->push_back(static_cast<char>(0xf0 | (number >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

// The number at the start of `bytes` and how many it takes; 0 of them when there is none.
struct Decoded {
  uint32_t number = 0;
  size_t length = 0;
};

Decoded Decode(std::string_view bytes) {
  const auto first = static_cast<uint8_t>(bytes.front());
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return {};
  uint32_t number = first & (0xffU >> (length + 1));
  for (size_t at = 1; at < length; ++at) {
    const auto byte = static_cast<uint8_t>(bytes[at]);
    if ((byte & 0xc0) != 0x80) return {};
    number = (number << 6) | (byte & 0x3fU);
  }
  const uint32_t least = length == 4 ? kSupplementary : length == 3 ? 0x800 : 0x80;
  if (number < least || number >= kPastTheLast) return {};
  return {number, length};
}

}  // namespace

std::string BytesOfUnits(std::u16string_view units) {
  std::string bytes;
  bytes.reserve(units.size());
  for (size_t at = 0; at < units.size(); ++at) {
    uint32_t number = units[at];
    if (IsHigh(units[at]) && at + 1 < units.size() && IsLow(units[at + 1])) {
      number = kSupplementary + ((number - 0xd800U) << 10) + (units[at + 1] - 0xdc00U);
      ++at;
    }
    AppendBytes(number, &bytes);
  }
  return bytes;
}

std::u16string UnitsOfBytes(std::string_view bytes) {
  std::u16string units;
  units.reserve(bytes.size());
  while (!bytes.empty()) {
    const Decoded decoded = Decode(bytes);
    if (decoded.length == 0) {
      units.push_back(kReplacement);
    } else if (decoded.number < kSupplementary) {
      units.push_back(static_cast<char16_t>(decoded.number));
    } else {
      units.push_back(static_cast<char16_t>(0xd800U + ((decoded.number - kSupplementary) >> 10)));
      units.push_back(static_cast<char16_t>(0xdc00U + ((decoded.number - kSupplementary) & 0x3ffU)));
    }
    bytes.remove_prefix(std::max<size_t>(decoded.length, 1));
  }
  return units;
}

}  // namespace cordon::platform
