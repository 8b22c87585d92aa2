#include "platform/windows/files/notify_decode.h"

#include <cstring>

namespace cordon::platform {
namespace {

// FILE_NOTIFY_INFORMATION: next record, action, length of the name in bytes, name.
constexpr size_t kHeadBytes = 12;

uint32_t U32(std::span<const uint8_t> bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

}  // namespace

std::vector<NotifyRecord> DecodeNotifications(std::span<const uint8_t> bytes, bool* whole) {
  std::vector<NotifyRecord> records;
  *whole = false;
  for (size_t at = 0; bytes.size() >= kHeadBytes && at <= bytes.size() - kHeadBytes;) {
    const uint32_t next = U32(bytes, at);
    const uint32_t length = U32(bytes, at + 8);
    if (length % sizeof(char16_t) != 0 || length > bytes.size() - at - kHeadBytes) return records;
    NotifyRecord record{.action = U32(bytes, at + 4),
                        .name = std::u16string(length / sizeof(char16_t), u'\0')};
    std::memcpy(record.name.data(), bytes.data() + at + kHeadBytes, length);
    records.push_back(std::move(record));
    if (next == 0) {
      *whole = true;
      return records;
    }
    if (next < kHeadBytes || next > bytes.size() - at) return records;
    at += next;
  }
  return records;
}

}  // namespace cordon::platform
