#include "platform/windows/files/name_bytes.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

TEST(NameBytes, TextIsUtf8) {
  EXPECT_EQ(BytesOfUnits(u"C:/Users/a\u00e4\u20ac\U0001f600"),
            "C:/Users/a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(BytesOfUnits(u""), "");
}

TEST(NameBytes, EveryUnitAloneAndEveryPairCornerComesBack) {
  for (uint32_t unit = 1; unit <= 0xffff; ++unit) {
    const std::u16string name = {u'a', static_cast<char16_t>(unit), u'b'};
    ASSERT_EQ(UnitsOfBytes(BytesOfUnits(name)), name) << unit;
  }
  for (const char16_t high : {char16_t{0xd800}, char16_t{0xdbff}, char16_t{0xdc00}})
    for (const char16_t low : {char16_t{0xdc00}, char16_t{0xdfff}, char16_t{0xd800}}) {
      const std::u16string name = {high, low, high};
      EXPECT_EQ(UnitsOfBytes(BytesOfUnits(name)), name);
    }
}

TEST(NameBytes, TwoHalvesAreTwoNames) {
  EXPECT_EQ(BytesOfUnits({u"\xd800", 1}), "\xed\xa0\x80");
  EXPECT_NE(BytesOfUnits({u"\xd800", 1}), BytesOfUnits({u"\xd801", 1}));
}

TEST(NameBytes, WhatNoNameHasIsReplaced) {
  EXPECT_EQ(UnitsOfBytes("a\xff"
                         "b"),
            u"a\ufffdb");
  EXPECT_EQ(UnitsOfBytes("\xc3"), u"\ufffd");
  EXPECT_EQ(UnitsOfBytes("\xc0\x80"), u"\ufffd\ufffd") << "longer than it must be";
  EXPECT_EQ(UnitsOfBytes("\xf4\x90\x80\x80"), u"\ufffd\ufffd\ufffd\ufffd") << "past the last number";
}

}  // namespace
}  // namespace cordon::platform
