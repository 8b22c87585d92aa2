#include "platform/windows/processes/etw_decode.h"

#include <cstring>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

constexpr uint8_t kOldestVersion = 3;  // without the flags that version 4 has
constexpr size_t kPointerBytes = 8;
constexpr size_t kMostAuthorities = 15;  // SID_MAX_SUB_AUTHORITIES

// Reads from the front; once something is missing, everything is.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> data) : data_(data) {}

  bool Good() const { return good_; }

  uint32_t U32() {
    uint32_t value = 0;
    Copy(&value, sizeof(value));
    return value;
  }
  uint8_t U8() {
    uint8_t value = 0;
    Copy(&value, sizeof(value));
    return value;
  }
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
    for (char16_t c = Wide(); good_ && c != 0; c = Wide()) text += c;
    return text;
  }

 private:
  bool Has(size_t bytes) {
    good_ = good_ && bytes <= data_.size();
    return good_;
  }
  void Copy(void* to, size_t bytes) {
    if (!Has(bytes)) return;
    std::memcpy(to, data_.data(), bytes);
    data_ = data_.subspan(bytes);
  }
  char16_t Wide() {
    char16_t value = 0;
    Copy(&value, sizeof(value));
    return value;
  }

  std::span<const uint8_t> data_;
  bool good_ = true;
};

// Four zero bytes for none; else a TOKEN_USER of two pointers, the first of which is not zero, and the SID.
std::string TakeSid(Reader* reader) {
  if (reader->U32() == 0) return {};
  reader->Skip(2 * kPointerBytes - sizeof(uint32_t));
  const uint8_t revision = reader->U8();
  const uint8_t count = reader->U8();
  if (count > kMostAuthorities) {
    reader->Skip(SIZE_MAX);  // no SID: what follows cannot be found
    return {};
  }
  uint64_t authority = 0;
  for (int at = 0; at < 6; ++at) authority = (authority << 8) | reader->U8();
  std::string sid = StrCat("S-", revision, "-", authority);
  for (uint8_t at = 0; at < count; ++at) StrAppend(&sid, "-", reader->U32());
  return sid;
}

}  // namespace

std::optional<EtwProcess> DecodeEtwProcess(std::span<const uint8_t> data, uint8_t version) {
  if (version < kOldestVersion) return std::nullopt;
  Reader reader(data);
  EtwProcess process;
  reader.Skip(kPointerBytes);  // the kernel's own key
  process.pid = reader.U32();
  process.parent_pid = reader.U32();
  process.session_id = reader.U32();
  process.exit_code = reader.U32();
  reader.Skip(kPointerBytes);  // page directory
  if (version > kOldestVersion) reader.Skip(sizeof(uint32_t));
  process.user_sid = TakeSid(&reader);
  process.image = reader.Text();
  if (!reader.Good()) return std::nullopt;
  process.command_line = reader.WideText();  // what comes after it is not asked
  if (!reader.Good()) return std::nullopt;
  return process;
}

}  // namespace cordon::platform
