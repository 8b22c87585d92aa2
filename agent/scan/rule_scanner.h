#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cordon/v1/scan.pb.h"
#include "platform/api/sandboxed_child.h"

namespace cordon::agent {

// A longer file is hashed, and not searched by rules.
inline constexpr uint64_t kMaxSearchedBytes = uint64_t{512} * 1024 * 1024;
// What rules may take on one file, by their own clock; a process that does not keep to it is ended a bit
// later.
inline constexpr std::chrono::seconds kSearchTimeout(20);
inline constexpr std::chrono::seconds kCompileTimeout(30);
// Processes that one scanner loses to files before it gives up: each costs a compilation, and whoever cuts
// off a file while it is searched, again and again, must not hold the scan for ever.
inline constexpr int kMostLostProcesses = 64;

// Searches files by YARA rules in a process of its own, that has no rights and may crash or hang: then the
// next file gets a new one. One thread at a time.
class RuleScanner {
 public:
  // `check`: of which only the rules are used.
  RuleScanner(platform::SandboxCommand command, const v1::IndicatorCheck& check);
  ~RuleScanner();

  // Starts the process and has it compile the rules, unless that is done. INVALID_ARGUMENT names file and
  // line of what is wrong with them, also when they took too long or too much memory; UNAVAILABLE: no process
  // can be started; CANCELLED by `keep_going`.
  absl::Status Prepare(const std::function<bool()>& keep_going);

  // `keep_going` must not hold it back: the time for the answer runs.
  // The rules that match, "file:rule". OUT_OF_RANGE: longer than kMaxSearchedBytes. ABORTED: the process
  // crashed or ran over its time or memory on this file; the text says which. RESOURCE_EXHAUSTED: it did so
  // on too many files before. CANCELLED. Else as Prepare.
  absl::StatusOr<std::vector<std::string>> Search(const platform::OpenFile& file,
                                                  const std::function<bool()>& keep_going);

 private:
  const platform::SandboxCommand command_;
  std::string rules_;  // the request
  std::unique_ptr<platform::SandboxedChild> child_;
  int lost_ = 0;
};

}  // namespace cordon::agent
