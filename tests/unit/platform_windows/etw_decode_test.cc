#include "platform/windows/processes/etw_decode.h"

#include <gtest/gtest.h>

#include "tests/unit/platform_windows/event_bytes.h"

namespace cordon::platform {
namespace {

using cordon::testing::Bytes;

// S-1-5-21-1-2, behind a TOKEN_USER.
void PutSid(Bytes* to) {
  to->Pointer(0xffff'8000'1234'5678).Pointer(0).Raw({1, 3, 0, 0, 0, 0, 0, 5}).U32(21).U32(1).U32(2);
}

Bytes Event(uint8_t version, bool with_sid) {
  Bytes bytes;
  bytes.Pointer(0xffff'8000'0000'0001).U32(4711).U32(42).U32(1).U32(259).Pointer(0x1000);
  if (version > 3) bytes.U32(0);
  if (with_sid) {
    PutSid(&bytes);
  } else {
    bytes.U32(0);
  }
  bytes.Text("calc.exe").Wide(u"\"C:\\calc.exe\" \u00e4").Wide(u"").Wide(u"");
  return bytes;
}

TEST(EtwDecode, ReadsBothVersions) {
  for (const uint8_t version : {uint8_t{3}, uint8_t{4}, uint8_t{5}}) {
    const auto process = DecodeEtwProcess(Event(version, true).Get(), version);
    ASSERT_TRUE(process.has_value()) << int{version};
    EXPECT_EQ(process->pid, 4711U);
    EXPECT_EQ(process->parent_pid, 42U);
    EXPECT_EQ(process->session_id, 1U);
    EXPECT_EQ(process->exit_code, 259U);
    EXPECT_EQ(process->user_sid, "S-1-5-21-1-2");
    EXPECT_EQ(process->image, "calc.exe");
    EXPECT_EQ(process->command_line, u"\"C:\\calc.exe\" \u00e4");
  }
}

TEST(EtwDecode, AnEventMayHaveNoUser) {
  const auto process = DecodeEtwProcess(Event(4, false).Get(), 4);
  ASSERT_TRUE(process.has_value());
  EXPECT_EQ(process->user_sid, "");
  EXPECT_EQ(process->image, "calc.exe");
}

TEST(EtwDecode, OldVersionsAndEveryCutAreRefused) {
  const Bytes bytes = Event(4, true);
  EXPECT_FALSE(DecodeEtwProcess(bytes.Get(), 2).has_value());
  const size_t needed = bytes.Get().size() - 4;  // the last two texts are not read
  for (size_t length = 0; length < needed; ++length)
    EXPECT_FALSE(DecodeEtwProcess({bytes.Get().data(), length}, 4).has_value()) << length;
}

TEST(EtwDecode, ASidWithTooManyPartsIsRefused) {
  Bytes bytes;
  bytes.Pointer(1).U32(1).U32(1).U32(1).U32(0).Pointer(0).U32(0).Pointer(1).Pointer(0).Raw(
      {1, 16, 0, 0, 0, 0, 0, 5});
  for (int at = 0; at < 40; ++at) bytes.U32(7);
  bytes.Text("x").Wide(u"");
  EXPECT_FALSE(DecodeEtwProcess(bytes.Get(), 4).has_value());
}

}  // namespace
}  // namespace cordon::platform
