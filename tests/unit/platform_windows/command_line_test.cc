#include "platform/windows/processes/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CommandLine, IsCutAtBlanksOutsideOfQuotationMarks) {
  EXPECT_THAT(SplitCommandLine(R"(cmd /c  "a b" c)"), ElementsAre("cmd", "/c", "a b", "c"));
  EXPECT_THAT(SplitCommandLine("\"C:\\Program Files\\x.exe\"\ta"),
              ElementsAre("C:\\Program Files\\x.exe", "a"));
  EXPECT_THAT(SplitCommandLine(""), IsEmpty());
  EXPECT_THAT(SplitCommandLine("x   "), ElementsAre("x"));
}

// The table of Microsoft's documentation ("Parsing C command-line arguments").
TEST(CommandLine, BackslashesBeforeQuotationMarksAreAsDocumented) {
  EXPECT_THAT(SplitCommandLine(R"(p "abc" d e)"), ElementsAre("p", "abc", "d", "e"));
  EXPECT_THAT(SplitCommandLine(R"(p a\\b d"e f"g h)"), ElementsAre("p", R"(a\\b)", "de fg", "h"));
  EXPECT_THAT(SplitCommandLine(R"(p a\\\"b c d)"), ElementsAre("p", R"(a\"b)", "c", "d"));
  EXPECT_THAT(SplitCommandLine(R"(p a\\\\"b c" d e)"), ElementsAre("p", R"(a\\b c)", "d", "e"));
  EXPECT_THAT(SplitCommandLine(R"(p a"b"" c d)"), ElementsAre("p", "ab\" c d"));
}

TEST(CommandLine, TheProgramsNameKnowsNoBackslash) {
  EXPECT_THAT(SplitCommandLine(R"("C:\dir\" a)"), ElementsAre(R"(C:\dir\)", "a"));
}

}  // namespace
}  // namespace cordon::platform
