#include "platform/windows/files/usn_decode.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/platform_windows/usn_pages.h"

namespace cordon::platform {
namespace {

using cordon::testing::UsnPageBytes;

UsnRecord File(const std::u16string& name) {
  return {.file = {0x0001'0000'0000'1234, 0},
          .parent = {0x0005'0000'0000'0005, 0},
          .usn = 4096,
          .file_time = 133'000'000'000'000'000,
          .reason = UsnRecord::kFileCreate | UsnRecord::kClose,
          .is_directory = false,
          .name = name};
}

TEST(UsnDecode, GivesRecordsOfBothVersionsInOrder) {
  for (const int version : {2, 3}) {
    UsnRecord folder = File(u"\u00e4rzte");
    folder.is_directory = true;
    if (version == 3) folder.file.high = 9;
    const UsnPage page = DecodeUsnPage(UsnPageBytes(8192, {File(u"a"), folder}, version));
    EXPECT_TRUE(page.whole);
    EXPECT_EQ(page.next_usn, 8192);
    ASSERT_EQ(page.records.size(), 2U);
    EXPECT_EQ(page.records[0].name, u"a");
    EXPECT_EQ(page.records[0].file.low, 0x0001'0000'0000'1234U);
    EXPECT_EQ(page.records[0].parent.low, 0x0005'0000'0000'0005U);
    EXPECT_EQ(page.records[0].usn, 4096);
    EXPECT_EQ(page.records[0].file_time, 133'000'000'000'000'000U);
    EXPECT_EQ(page.records[0].reason, UsnRecord::kFileCreate | UsnRecord::kClose);
    EXPECT_FALSE(page.records[0].is_directory);
    EXPECT_TRUE(page.records[1].is_directory);
    EXPECT_EQ(page.records[1].name, u"\u00e4rzte");
    EXPECT_EQ(page.records[1].file, folder.file);
  }
}

TEST(UsnDecode, TheEndOfAJournalIsAPageWithoutRecords) {
  const UsnPage page = DecodeUsnPage(UsnPageBytes(8192, {}));
  EXPECT_TRUE(page.whole);
  EXPECT_TRUE(page.records.empty());
}

// TEL-1: whatever is cut off, it is known that something was.
TEST(UsnDecode, TEL1_EveryCutIsNoticed) {
  const std::vector<uint8_t> bytes = UsnPageBytes(8192, {File(u"first"), File(u"second")});
  const size_t first = UsnPageBytes(8192, {File(u"first")}).size();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const UsnPage page = DecodeUsnPage({bytes.data(), length});
    const bool between_records = length == sizeof(int64_t) || length == first;
    EXPECT_EQ(page.whole, between_records) << length;
    EXPECT_LE(page.records.size(), length < first ? 0U : 1U);
  }
}

TEST(UsnDecode, LengthsAndOffsetsThatLeadOutsideTakeTheRecordAway) {
  constexpr size_t kFirst = 8;
  for (const size_t at : {kFirst + 56, kFirst + 58}) {  // length and offset of the name
    for (const uint16_t value : {uint16_t{1}, uint16_t{59}, uint16_t{0x7fff}, uint16_t{0xffff}}) {
      std::vector<uint8_t> bytes = UsnPageBytes(8192, {File(u"first"), File(u"second")});
      std::memcpy(bytes.data() + at, &value, sizeof(value));
      const UsnPage page = DecodeUsnPage(bytes);
      EXPECT_FALSE(page.whole) << at << " " << value;
      ASSERT_EQ(page.records.size(), 1U);
      EXPECT_EQ(page.records[0].name, u"second");
    }
  }
}

TEST(UsnDecode, ARecordOfAnotherVersionIsLeftOutAndSaidSo) {
  std::vector<uint8_t> bytes = UsnPageBytes(8192, {File(u"first"), File(u"second")});
  bytes[8 + 4] = 4;
  const UsnPage page = DecodeUsnPage(bytes);
  EXPECT_FALSE(page.whole);
  ASSERT_EQ(page.records.size(), 1U);
}

TEST(UsnDecode, ARecordWithoutLengthEndsIt) {
  for (const uint32_t length : {0U, 7U, 0x7fffffffU, 0xffffffffU}) {
    std::vector<uint8_t> bytes = UsnPageBytes(8192, {File(u"first"), File(u"second")});
    std::memcpy(bytes.data() + 8, &length, sizeof(length));
    const UsnPage page = DecodeUsnPage(bytes);
    EXPECT_FALSE(page.whole);
    EXPECT_TRUE(page.records.empty());
  }
}

}  // namespace
}  // namespace cordon::platform
