#pragma once

// Writes records as the kernel's traces have them.

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace cordon::testing {

class Bytes {
 public:
  Bytes& U32(uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<uint8_t>(value >> shift));
    return *this;
  }
  Bytes& Pointer(uint64_t value) {
    return U32(static_cast<uint32_t>(value)).U32(static_cast<uint32_t>(value >> 32));
  }
  Bytes& Raw(std::initializer_list<uint8_t> raw) {
    bytes_.insert(bytes_.end(), raw);
    return *this;
  }
  Bytes& Text(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return Raw({0});
  }
  Bytes& Wide(std::u16string_view text) {
    for (const char16_t c : text) Raw({static_cast<uint8_t>(c & 0xff), static_cast<uint8_t>(c >> 8)});
    return Raw({0, 0});
  }
  const std::vector<uint8_t>& Get() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace cordon::testing
