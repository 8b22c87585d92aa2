#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace cordon::testing {

// What suites of platform/api need of the system they run on, in one form for every system: native_posix.cc
// and native_windows.cc. Whoever uses the macros includes GoogleTest.

bool OnWindows();
bool UnderWine();
bool IsAdministrator();  // root; on Windows, an elevated one

// Names what a case cannot be run without, so that nobody takes a skip for a success. `api` is the call that
// is not there, and what it does instead.
#define CORDON_SKIP_UNDER_WINE(api) \
  if (::cordon::testing::UnderWine()) GTEST_SKIP() << "wine: " << (api)
#define CORDON_SKIP_ON_WINDOWS(api) \
  if (::cordon::testing::OnWindows()) GTEST_SKIP() << "Windows: " << (api)
#define CORDON_SKIP_UNLESS_ADMINISTRATOR(why) \
  if (!::cordon::testing::IsAdministrator()) GTEST_SKIP() << "not root: " << (why)

// The path of errand.cc's program, which does one thing that its arguments say.
std::filesystem::path Errand();

// A program that a test starts: another process, on every system. Arguments hold no quotes. Throws
// std::runtime_error when it cannot be started; ends with the object.
class ChildProgram {
 public:
  ChildProgram(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               const std::filesystem::path& working_dir = {});
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;
  ~ChildProgram();

  uint32_t Pid() const;
  int Wait();   // its exit code; -1 when it does not end within 30 seconds
  void Kill();  // returns when it has ended

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs it to its end, in `working_dir`; its exit code.
inline int RunErrand(const std::vector<std::string>& arguments,
                     const std::filesystem::path& working_dir = {}) {
  return ChildProgram(Errand(), arguments, working_dir).Wait();
}

}  // namespace cordon::testing
