#include "platform/windows/processes/etw_decode.h"

#include "common/base/strings.h"
#include "platform/windows/system/record_reader.h"

namespace cordon::platform {
namespace {

constexpr uint8_t kOldestVersion = 3;  // without the flags that version 4 has
constexpr size_t kPointerBytes = 8;
constexpr size_t kMostAuthorities = 15;  // SID_MAX_SUB_AUTHORITIES

// Four zero bytes for none; else a TOKEN_USER of two pointers, the first of which is not zero, and the SID.
std::string TakeSid(RecordReader* reader) {
  if (reader->U32() == 0) return {};
  reader->Skip(2 * kPointerBytes - sizeof(uint32_t));
  const uint8_t revision = reader->U8();
  const uint8_t count = reader->U8();
  if (count > kMostAuthorities) {
    reader->Fail();  // no SID: what follows cannot be found
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
  RecordReader reader(data);
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
