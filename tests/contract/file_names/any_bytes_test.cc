// On Linux a name is bytes, whatever they are.

#include <gtest/gtest.h>

#include "platform/api/file_names.h"

namespace cordon::platform {
namespace {

TEST(FileNames, EveryByteIsKept) {
  for (int byte = 1; byte <= 0xff; ++byte) {
    const std::string name = {'a', static_cast<char>(byte), 'b'};
    EXPECT_EQ(NameBytes(PathOfBytes(name)), name);
    EXPECT_EQ(PathOfBytes(name).native(), name);
  }
}

}  // namespace
}  // namespace cordon::platform
