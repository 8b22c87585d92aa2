#include "agent/scan/scan_spec.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

TEST(ScanSpec, WhatCannotBeDoneIsRefusedByField) {
  v1::ScanSpec spec;
  EXPECT_EQ(CheckScanSpec(spec).code(), absl::StatusCode::kInvalidArgument);
  spec.mutable_integrity();
  EXPECT_TRUE(CheckScanSpec(spec).ok());
  for (const char* path : {"", "etc", "/etc/../root"}) {
    v1::ScanSpec bad = spec;
    bad.add_paths(path);
    EXPECT_EQ(CheckScanSpec(bad).code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

TEST(ScanSpec, IndicatorsMustNameSomething) {
  v1::ScanSpec spec;
  spec.mutable_indicators()->set_running_processes(true);
  EXPECT_EQ(CheckScanSpec(spec).code(), absl::StatusCode::kInvalidArgument);
  spec.mutable_indicators()->add_path_patterns("*");
  EXPECT_TRUE(CheckScanSpec(spec).ok());
  for (int i = 0; i < 2; ++i) spec.mutable_indicators()->add_yara()->set_name("a.yar");
  EXPECT_EQ(CheckScanSpec(spec).message(), "indicators: two rule files are called a.yar");
}

}  // namespace
}  // namespace cordon::agent
