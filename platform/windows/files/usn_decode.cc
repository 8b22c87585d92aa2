#include "platform/windows/files/usn_decode.h"

#include <cstddef>
#include <cstring>
#include <optional>

namespace cordon::platform {
namespace {

constexpr uint32_t kAttributeDirectory = 0x10;
constexpr size_t kLengthBytes = 8;  // record length, major and minor version

// Where the parts of a record stand.
struct Layout {
  size_t id_bytes;
  size_t usn;
  size_t name;  // = the shortest record
};
constexpr Layout kVersion2{.id_bytes = 8, .usn = 24, .name = 60};
constexpr Layout kVersion3{.id_bytes = 16, .usn = 40, .name = 76};
// Behind the USN: time, reason, source, security id, attributes, length and offset of the name.
constexpr size_t kTime = 8;
constexpr size_t kReason = 16;
constexpr size_t kAttributes = 28;
constexpr size_t kNameLength = 32;
constexpr size_t kNameOffset = 34;
static_assert(kVersion2.usn + 36 == kVersion2.name && kVersion3.usn + 36 == kVersion3.name);

template <typename Number>
Number Get(std::span<const uint8_t> bytes, size_t at) {
  Number value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

UsnFileId GetId(std::span<const uint8_t> bytes, size_t at, size_t id_bytes) {
  return {.low = Get<uint64_t>(bytes, at), .high = id_bytes == 16 ? Get<uint64_t>(bytes, at + 8) : 0};
}

// `bytes` is the record and nothing else.
std::optional<UsnRecord> DecodeRecord(std::span<const uint8_t> bytes) {
  const auto version = Get<uint16_t>(bytes, 4);
  if (version != 2 && version != 3) return std::nullopt;
  const Layout& layout = version == 2 ? kVersion2 : kVersion3;
  if (bytes.size() < layout.name) return std::nullopt;
  const size_t length = Get<uint16_t>(bytes, layout.usn + kNameLength);
  const size_t offset = Get<uint16_t>(bytes, layout.usn + kNameOffset);
  if (length % sizeof(char16_t) != 0 || offset < layout.name || offset > bytes.size() ||
      length > bytes.size() - offset)
    return std::nullopt;
  UsnRecord record{
      .file = GetId(bytes, kLengthBytes, layout.id_bytes),
      .parent = GetId(bytes, kLengthBytes + layout.id_bytes, layout.id_bytes),
      .usn = Get<int64_t>(bytes, layout.usn),
      .file_time = Get<uint64_t>(bytes, layout.usn + kTime),
      .reason = Get<uint32_t>(bytes, layout.usn + kReason),
      .is_directory = (Get<uint32_t>(bytes, layout.usn + kAttributes) & kAttributeDirectory) != 0,
      .name = std::u16string(length / sizeof(char16_t), u'\0')};
  std::memcpy(record.name.data(), bytes.data() + offset, length);
  return record;
}

}  // namespace

UsnPage DecodeUsnPage(std::span<const uint8_t> bytes) {
  UsnPage page;
  if (bytes.size() < sizeof(int64_t)) return page;
  page.next_usn = Get<int64_t>(bytes, 0);
  page.whole = true;
  bytes = bytes.subspan(sizeof(int64_t));
  while (!bytes.empty()) {
    const size_t length = bytes.size() < kLengthBytes ? 0 : Get<uint32_t>(bytes, 0);
    if (length < kLengthBytes || length > bytes.size()) {
      page.whole = false;
      return page;
    }
    std::optional<UsnRecord> record = DecodeRecord(bytes.first(length));
    if (record.has_value()) {
      page.records.push_back(*std::move(record));
    } else {
      page.whole = false;
    }
    bytes = bytes.subspan(length);
  }
  return page;
}

}  // namespace cordon::platform
