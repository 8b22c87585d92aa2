// The contract of platform/api/file_names.h on the native implementation.

#include "platform/api/file_names.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

TEST(FileNames, TextIsUtf8WithSlashesAndComesBack) {
  for (const char* const name :
       {"", "a", "C:/Users/file", "/usr/bin", "folder/\u00e4\u4e2d\U0001f600/x y", "..."}) {
    EXPECT_EQ(NameBytes(PathOfBytes(name)), name);
    EXPECT_EQ(PathOfBytes(NameBytes(PathOfBytes(name))), PathOfBytes(name));
  }
}

TEST(FileNames, APathThatIsPutTogetherHasSlashes) {
  EXPECT_EQ(NameBytes(PathOfBytes("a") / "b" / PathOfBytes("\u00e4")), "a/b/\u00e4");
}

TEST(FileNames, BytesThatAreNoTextAreNoError) {
  for (const char* const bytes : {"a\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
    EXPECT_FALSE(NameBytes(PathOfBytes(bytes)).empty());
}

}  // namespace
}  // namespace cordon::platform
