#pragma once

// What `scan indicators` looks for, from files.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "cordon/v1/scan.pb.h"

namespace cordon::ctl {

inline constexpr size_t kMaxIndicatorFileBytes = 64 * 1024 * 1024;

// A list of digests of `bytes` bytes each, in hex: one in a line, as sha256sum and md5sum write them (what
// follows the digest and a space is not read); empty lines and those that begin with '#' are passed over.
// Each once, sorted. INVALID_ARGUMENT "file:line: …"; also when there is none.
absl::StatusOr<std::vector<std::string>> ParseHashList(std::string_view text, const std::string& file_name,
                                                       size_t bytes);

struct IndicatorOptions {
  std::vector<std::string> sha256_files = {};   // --sha256-file
  std::vector<std::string> md5_files = {};      // --md5-file
  std::vector<std::string> path_patterns = {};  // --path-pattern
  std::vector<std::string> rule_files = {};     // --yara
  bool running_processes = false;               // --processes
};

// Reads the files and compiles the rules, where this build can: `*note` says when it could not.
// INVALID_ARGUMENT names the file, and the line.
absl::StatusOr<v1::IndicatorCheck> ReadIndicators(const IndicatorOptions& options, std::string* note);

}  // namespace cordon::ctl
