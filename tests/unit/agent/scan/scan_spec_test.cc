#include "agent/scan/scan_spec.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

TEST(ScanSpec, APathThatIsNoneIsRefused) {
  v1::ScanSpec spec;
  EXPECT_TRUE(CheckPaths(spec).ok());
  spec.add_paths("/etc");
  EXPECT_TRUE(CheckPaths(spec).ok());
  for (const char* path : {"", "etc", "/etc/../root"}) {
    v1::ScanSpec bad = spec;
    bad.add_paths(path);
    EXPECT_EQ(CheckPaths(bad).code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

}  // namespace
}  // namespace cordon::agent
