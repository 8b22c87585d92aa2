#pragma once

// Reads the bytes of the kernel's event records. No Windows header: tested on every system.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace cordon::platform {

// From the front; once something is missing, everything is.
class RecordReader {
 public:
  explicit RecordReader(std::span<const uint8_t> data) : data_(data) {}

  bool Good() const { return good_; }
  // What follows cannot be found.
  void Fail() { good_ = false; }

  uint8_t U8() { return Number<uint8_t>(); }
  uint32_t U32() { return Number<uint32_t>(); }
  uint64_t U64() { return Number<uint64_t>(); }  // a pointer, from a 64-bit kernel
  void Skip(size_t bytes) {
    if (Has(bytes)) data_ = data_.subspan(bytes);
  }

  // Up to a zero, which must be there.
  std::string Text() {
    std::string text;
    for (uint8_t c = U8(); good_ && c != 0; c = U8()) text += static_cast<char>(c);
    return text;
  }
  std::u16string WideText() {
    std::u16string text;
    for (auto c = Number<char16_t>(); good_ && c != 0; c = Number<char16_t>()) text += c;
    return text;
  }

 private:
  bool Has(size_t bytes) {
    good_ = good_ && bytes <= data_.size();
    return good_;
  }
  template <typename T>
  T Number() {
    T value = 0;
    if (!Has(sizeof(value))) return value;
    std::memcpy(&value, data_.data(), sizeof(value));
    data_ = data_.subspan(sizeof(value));
    return value;
  }

  std::span<const uint8_t> data_;
  bool good_ = true;
};

}  // namespace cordon::platform
