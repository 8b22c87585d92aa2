#include "agent/scan/scanner_wire.h"

#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using Kind = ScannerAnswer::Kind;

TEST(ScannerWire, AnAnswerComesBackAsItWas) {
  const auto answer = DecodeAnswer(EncodeAnswer({.kind = Kind::kMatches, .texts = {"a.yar:evil", ""}}));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->kind, Kind::kMatches);
  EXPECT_EQ(answer->texts, (std::vector<std::string>{"a.yar:evil", ""}));
}

TEST(ScannerWire, AUT6_WhatAHostileChildSaysIsBounded) {
  EXPECT_FALSE(DecodeAnswer("").has_value());
  EXPECT_FALSE(DecodeAnswer("?").has_value());
  EXPECT_FALSE(DecodeAnswer("m\x7f").has_value());
  EXPECT_FALSE(DecodeAnswer(std::string("m\0\0\0\x05"
                                        "abc",
                                        8))
                   .has_value());
  EXPECT_FALSE(DecodeAnswer(StrCat(std::string_view("m\0\0\x20\0", 5), std::string(8192, 'x'))).has_value());
  std::string many = "m";
  for (size_t i = 0; i <= kMaxAnswerTexts; ++i) many.append(4, '\0');
  EXPECT_FALSE(DecodeAnswer(many).has_value());
  EXPECT_EQ(DecodeAnswer(EncodeAnswer({.kind = Kind::kFailed, .texts = {"a\nb\xff"}}))->texts.front(),
            "a\\x0ab\\xff");
}

TEST(ScannerWire, AnAnswerThatIsTooLongIsCut) {
  const ScannerAnswer large{.kind = Kind::kMatches,
                            .texts = std::vector<std::string>(1000, std::string(10'000, 'x'))};
  const auto answer = DecodeAnswer(EncodeAnswer(large));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->texts.size(), kMaxAnswerTexts);
  EXPECT_EQ(answer->texts.front().size(), kMaxAnswerTextBytes);
}

}  // namespace
}  // namespace cordon::agent
