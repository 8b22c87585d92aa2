#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon {

// YARA and the libraries below it, set up for as long as one of these lives. What they read from disk for
// that is read now: for a process that will not be able to. Rule sets have one each.
class RuleLibrary {
 public:
  RuleLibrary();
  ~RuleLibrary();
  RuleLibrary(const RuleLibrary&) = delete;
  RuleLibrary& operator=(const RuleLibrary&) = delete;

  bool Ready() const { return ready_; }

 private:
  const bool ready_;
};

struct RuleText {
  std::string file;  // for messages, and the first half of a rule's name
  std::string_view text;
};

// YARA rules, compiled. Rules can read nothing but what Scan is given: `include` is off, and so is every
// module but those that only look at the content (pe, elf, math, hash, time, string, dotnet). Time and memory
// of compiling and scanning hostile text are for the caller to bound: with a process of its own. One thread
// of a process uses rule sets, of which several may live.
class RuleSet {
 public:
  static constexpr size_t kMaxMatches = 256;  // told per content; the rest is left out

  // INVALID_ARGUMENT: "FILE:LINE: what is wrong", the first error of each file. UNIMPLEMENTED: this build has
  // no YARA.
  static absl::StatusOr<RuleSet> Compile(std::span<const RuleText> files);

  RuleSet(RuleSet&&) noexcept;
  RuleSet& operator=(RuleSet&&) noexcept;
  ~RuleSet();

  // Names of the rules that match, as "file:rule". DEADLINE_EXCEEDED when it takes longer than `timeout`;
  // INTERNAL with YARA's own number for what else can go wrong (RESOURCE_EXHAUSTED: memory).
  absl::StatusOr<std::vector<std::string>> Scan(std::string_view content, std::chrono::seconds timeout) const;

 private:
  struct Compiled;
  explicit RuleSet(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace cordon
