// On Windows a name is 16-bit units, and need be no text.

#include <gtest/gtest.h>

#include "platform/api/file_names.h"

namespace cordon::platform {
namespace {

TEST(FileNames, HalfOfASurrogatePairComesBack) {
  const std::filesystem::path odd = LR"(C:\Users\a)" + std::wstring(1, L'\xd800') + L"b";
  EXPECT_EQ(NameBytes(odd),
            "C:/Users/a\xed\xa0\x80"
            "b");
  EXPECT_EQ(PathOfBytes(NameBytes(odd)), odd);
  EXPECT_ANY_THROW((void)odd.generic_string()) << "what this is there for";
}

TEST(FileNames, BytesThatNoNameHasAreReplaced) {
  EXPECT_EQ(NameBytes(PathOfBytes("C:/\xff")), "C:/\xef\xbf\xbd");
}

}  // namespace
}  // namespace cordon::platform
