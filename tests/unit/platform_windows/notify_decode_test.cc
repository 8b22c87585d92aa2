#include "platform/windows/files/notify_decode.h"

#include <gtest/gtest.h>

#include <cstring>

namespace cordon::platform {
namespace {

void PutU32(std::vector<uint8_t>* to, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) to->push_back(static_cast<uint8_t>(value >> shift));
}

// A record with its name, filled up to a multiple of four.
std::vector<uint8_t> Record(uint32_t action, const std::u16string& name, bool last) {
  std::vector<uint8_t> bytes;
  const auto name_bytes = static_cast<uint32_t>(name.size() * 2);
  const uint32_t size = (12 + name_bytes + 3) / 4 * 4;
  PutU32(&bytes, last ? 0 : size);
  PutU32(&bytes, action);
  PutU32(&bytes, name_bytes);
  for (const char16_t c : name) {
    bytes.push_back(static_cast<uint8_t>(c & 0xff));
    bytes.push_back(static_cast<uint8_t>(c >> 8));
  }
  bytes.resize(size);
  return bytes;
}

std::vector<uint8_t> Join(std::vector<uint8_t> a, const std::vector<uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(NotifyDecode, GivesRecordsInOrder) {
  const auto bytes =
      Join(Record(NotifyRecord::kAdded, u"a", false), Record(NotifyRecord::kRenamedTo, u"x\\\u00e4b", true));
  bool whole = false;
  const std::vector<NotifyRecord> records = DecodeNotifications(bytes, &whole);
  EXPECT_TRUE(whole);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].action, NotifyRecord::kAdded);
  EXPECT_EQ(records[0].name, u"a");
  EXPECT_EQ(records[1].name, u"x\\\u00e4b");
}

// TEL-1: whatever is cut off, it is known that something was.
TEST(NotifyDecode, TEL1_EveryCutIsNoticed) {
  const auto bytes = Join(Record(1, u"first", false), Record(2, u"second", true));
  for (size_t length = 0; length < 12 + 5 * 2 + 2 + 12 + 6 * 2; ++length) {
    bool whole = true;
    const auto records = DecodeNotifications({bytes.data(), length}, &whole);
    EXPECT_FALSE(whole) << length;
    EXPECT_LE(records.size(), 1U);
  }
}

TEST(NotifyDecode, LengthsAndOffsetsThatLeadOutsideEndIt) {
  for (const size_t at : {size_t{0}, size_t{8}}) {
    for (const uint32_t value : {1U, 3U, 11U, 0x7fffffffU, 0xfffffffeU, 0xffffffffU}) {
      auto bytes = Join(Record(1, u"first", false), Record(2, u"second", true));
      std::memcpy(bytes.data() + at, &value, sizeof(value));
      bool whole = true;
      DecodeNotifications(bytes, &whole);
      EXPECT_FALSE(whole) << at << " " << value;
    }
  }
}

}  // namespace
}  // namespace cordon::platform
