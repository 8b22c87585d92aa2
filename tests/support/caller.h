#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/api/program_marks.h"
#include "tests/support/build_paths.h"
#include "tests/support/net_namespace.h"
#include "tests/support/subprocess.h"

namespace cordon::testing {

// Programs of a test's own for rules that name a program: copies of tests/support/caller.cc, which says what
// words they take.
inline std::string InstallCaller(const std::filesystem::path& at) {
  std::filesystem::copy_file(std::filesystem::path(kBinaryDir) / "tests/caller", at,
                             std::filesystem::copy_options::overwrite_existing);
  return at.string();
}

inline std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

inline std::vector<std::string> Call(const std::string& program, std::string_view words) {
  std::vector<std::string> args = Words(words);
  args.insert(args.begin(), program);
  return args;
}

// Runs it to its end: what it printed.
inline std::string Run(const NetNamespace& in, const std::string& program, std::string_view words) {
  const CommandResult result =
      RunCommand(Call(program, words), {.env = {}, .working_dir = {}, .net_namespace = in.Name()});
  return result.output + result.errors;
}

// Whether it did all that the words say.
inline bool Succeeds(const NetNamespace& in, const std::string& program, std::string_view words) {
  return RunCommand(Call(program, words), {.env = {}, .working_dir = {}, .net_namespace = in.Name()})
             .status == 0;
}

// The mark of the socket after the words.
inline uint32_t MarkAfter(const NetNamespace& in, const std::string& program, const std::string& words) {
  const std::string output = Run(in, program, words + " mark");
  const size_t at = output.rfind("mark ");
  if (at != std::string::npos) return static_cast<uint32_t>(std::stoul(output.substr(at + 5)));
  ADD_FAILURE() << program << " " << words << " says no mark: " << output;
  return ~0U;
}

// The kernel's marks in a namespace, taken away at the end whatever happens.
class MarksOf {
 public:
  explicit MarksOf(const NetNamespace& host) {
    const InNetNamespace inside(host);
    marks_ = platform::MakeProgramMarks();
  }
  MarksOf(const MarksOf&) = delete;
  MarksOf& operator=(const MarksOf&) = delete;
  ~MarksOf() { (void)marks_->Apply({}); }

  platform::ProgramMarks* operator->() const { return marks_.get(); }
  platform::ProgramMarks* Get() const { return marks_.get(); }

 private:
  std::unique_ptr<platform::ProgramMarks> marks_;
};

}  // namespace cordon::testing
