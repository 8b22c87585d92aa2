#include "platform/linux/user_notice/wall_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(WallText, IsWrappedAtBlanksBetweenEmptyLines) {
  const std::string text =
      WallText({.title = "A title", .text = StrCat("one two\n", std::string(70, 'a'), " bbbbbbbb\n")});
  EXPECT_THAT(text, StartsWith("\r\n\aA title\r\n\r\none two\r\n"));
  EXPECT_THAT(text, HasSubstr(StrCat(std::string(70, 'a'), "\r\nbbbbbbbb\r\n")));
}

TEST(WallText, CutsLongWordsBetweenCharacters) {
  std::string word;
  for (int i = 0; i < 60; ++i) word += "\xc3\xa9";  // é: two bytes
  std::istringstream lines(WallText({.title = word, .text = ""}));
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 78U);
    for (const char c : line) {
      if (c != '\r' && c != '\a') joined += c;
    }
  }
  EXPECT_EQ(joined, word);
}

TEST(WallText, LetsNoCommandOfATerminalThrough) {
  const std::string text = WallText(
      {.title = "a\x1b[2Jb\nc",
       .text = StrCat(std::string_view("\x9b 31m \xc2\x9b 31m \x07\x08 \0 x\n", 20), "\x1b]0;title\x07")});
  for (const char c : std::string_view(text).substr(3)) {  // behind "\r\n\a"
    EXPECT_TRUE(c == '\r' || c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f'))
        << static_cast<int>(c);
  }
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_THAT(text, HasSubstr("\\x1b[2J")) << "it is shown, harmless";
}

TEST(WallText, IsBounded) {
  std::string long_text;
  for (int i = 0; i < 5000; ++i) long_text += "x\n";
  EXPECT_LT(WallText({.title = "t", .text = long_text}).size(), 400U);
}

TEST(Markup, IsEscaped) {
  EXPECT_EQ(EscapeMarkup("<b>a & b</b>"), "&lt;b&gt;a &amp; b&lt;/b&gt;");
}

TEST(PackedNotice, ComesBack) {
  const UserNotice back = UnpackNotice(PackNotice({.title = "a\nb", .text = "c\nd\n"}));
  EXPECT_EQ(back.title, "a b");
  EXPECT_EQ(back.text, "c\nd\n");
  EXPECT_EQ(UnpackNotice("alone").title, "alone");
}

}  // namespace
}  // namespace cordon::platform
