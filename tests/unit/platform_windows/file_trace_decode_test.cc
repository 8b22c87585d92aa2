#include "platform/windows/files/file_trace_decode.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/platform_windows/event_bytes.h"

namespace cordon::platform {
namespace {

using cordon::testing::Bytes;
using Kind = FileTraceRecord::Kind;

constexpr uint64_t kRequest = 0xffff'8000'0000'0001;
constexpr uint64_t kObject = 0xffff'8000'0000'0002;
constexpr uint64_t kKey = 0xffff'8000'0000'0003;
constexpr uint32_t kThread = 77;
const std::u16string kPath = u"\\Device\\HarddiskVolume3\\a.txt";

Bytes Name() {
  return Bytes().Pointer(kKey).Wide(kPath);
}
Bytes Open(uint32_t options) {
  return Bytes().Pointer(kRequest).Pointer(kObject).U32(kThread).U32(options).U32(0x80).U32(7).Wide(kPath);
}
Bytes Close() {
  return Bytes().Pointer(kRequest).Pointer(kObject).Pointer(kKey).U32(kThread);
}
Bytes Write(uint32_t flags) {
  return Bytes()
      .Pointer(4096)
      .Pointer(kRequest)
      .Pointer(kObject)
      .Pointer(kKey)
      .U32(kThread)
      .U32(512)
      .U32(flags)
      .U32(0);
}
Bytes Information(uint32_t what) {
  return Bytes().Pointer(kRequest).Pointer(kObject).Pointer(kKey).Pointer(1).U32(kThread).U32(what);
}
Bytes ByPath() {
  return Information(10).Wide(kPath);
}

std::optional<FileTraceRecord> Decode(uint16_t event, const Bytes& bytes, uint8_t version = 1) {
  return DecodeFileTrace(event, version, bytes.Get());
}

TEST(FileTraceDecode, NamesOfFiles) {
  const auto name = Decode(10, Name(), 0);
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->kind, Kind::kName);
  EXPECT_EQ(name->key, kKey);
  EXPECT_EQ(name->path, kPath);
  EXPECT_EQ(name->thread, 0U) << "the event does not say";
  EXPECT_EQ(Decode(11, Name(), 0)->kind, Kind::kNameGone);
}

TEST(FileTraceDecode, Openings) {
  const auto open = Decode(12, Open(0x0100'0020));
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->kind, Kind::kOpen);
  EXPECT_EQ(open->object, kObject);
  EXPECT_EQ(open->thread, kThread);
  EXPECT_EQ(open->path, kPath);
  EXPECT_FALSE(open->overwrites);
  EXPECT_FALSE(open->deletes_on_close);
  EXPECT_EQ(Decode(30, Open(0x0200'0020))->kind, Kind::kMake);
  EXPECT_TRUE(Decode(12, Open(0x0100'1020))->deletes_on_close);
  for (const uint32_t disposition : {0U, 4U, 5U})
    EXPECT_TRUE(Decode(12, Open(disposition << 24))->overwrites) << disposition;
  for (const uint32_t disposition : {1U, 2U, 3U})
    EXPECT_FALSE(Decode(12, Open(disposition << 24))->overwrites) << disposition;
}

TEST(FileTraceDecode, WritingAndClosing) {
  const auto write = Decode(16, Write(0));
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->kind, Kind::kWrite);
  EXPECT_EQ(write->object, kObject);
  EXPECT_EQ(write->key, kKey);
  EXPECT_EQ(write->thread, kThread);
  EXPECT_TRUE(Decode(16, Write(0x1)).has_value()) << "past the cache, and a program's own";
  EXPECT_FALSE(Decode(16, Write(0x2)).has_value()) << "the memory manager's, of what others wrote";
  EXPECT_FALSE(Decode(16, Write(0x43)).has_value());
  const auto close = Decode(13, Close());
  ASSERT_TRUE(close.has_value());
  EXPECT_EQ(close->kind, Kind::kClose);
  EXPECT_EQ(close->key, kKey);
  EXPECT_EQ(close->thread, kThread);
}

TEST(FileTraceDecode, InformationThatChangesTheFile) {
  for (const uint32_t what : {4U, 19U, 20U, 39U}) {
    const auto set = Decode(17, Information(what));
    ASSERT_TRUE(set.has_value()) << what;
    EXPECT_EQ(set->kind, Kind::kSetInformation);
    EXPECT_EQ(set->thread, kThread);
  }
  for (const uint32_t what : {14U, 16U, 30U, 43U})
    EXPECT_FALSE(Decode(17, Information(what)).has_value()) << "a handle's own: " << what;
  EXPECT_EQ(Decode(31, Information(0))->kind, Kind::kSetInformation) << "access control";
  EXPECT_EQ(Decode(33, Information(0))->kind, Kind::kSetInformation) << "extended attributes";
}

TEST(FileTraceDecode, ByPath) {
  const auto gone = Decode(26, ByPath());
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(gone->kind, Kind::kDelete);
  EXPECT_EQ(gone->object, kObject);
  EXPECT_EQ(gone->key, kKey);
  EXPECT_EQ(gone->path, kPath);
  EXPECT_EQ(gone->thread, kThread);
  EXPECT_EQ(Decode(27, ByPath())->kind, Kind::kRename);
  EXPECT_EQ(Decode(28, ByPath())->kind, Kind::kLink);
}

TEST(FileTraceDecode, OtherEventsAndOldVersionsAreNothing) {
  for (const uint16_t event : std::initializer_list<uint16_t>{0, 14, 15, 18, 20, 22, 23, 24, 32, 999})
    EXPECT_FALSE(Decode(event, ByPath()).has_value()) << event;
  for (const uint16_t event : std::initializer_list<uint16_t>{12, 13, 16, 17, 26, 27, 28, 30, 31, 33})
    EXPECT_FALSE(Decode(event, ByPath(), 0).has_value()) << event;
}

TEST(FileTraceDecode, EveryCutIsRefused) {
  const std::vector<std::pair<uint16_t, Bytes>> events = {
      {10, Name()}, {12, Open(0)}, {13, Close()}, {17, Information(4)}, {26, ByPath()}, {30, Open(0)}};
  for (const auto& [event, bytes] : events) {
    EXPECT_TRUE(Decode(event, bytes).has_value()) << event;
    for (size_t length = 0; length < bytes.Get().size(); ++length)
      EXPECT_FALSE(DecodeFileTrace(event, 1, std::span(bytes.Get()).first(length)).has_value())
          << event << ", " << length;
  }
}

TEST(FileTraceDecode, WhatIsAskedForIsWhatIsUnderstood) {
  const std::vector<uint16_t> events = FileTraceEvents();
  EXPECT_LE(events.size(), 64U) << "more the kernel does not take";
  for (uint16_t event = 0; event < 100; ++event) {
    const bool asked = std::ranges::find(events, event) != events.end();
    const bool understood = Decode(event, Information(4).Wide(kPath)).has_value() ||
                            Decode(event, Write(0)).has_value() || Decode(event, Name()).has_value() ||
                            Decode(event, Open(0)).has_value();
    EXPECT_EQ(asked, understood) << event;
  }
}

}  // namespace
}  // namespace cordon::platform
