#include <unistd.h>

#include <utility>

#include "tests/support/build_paths.h"
#include "tests/support/native.h"
#include "tests/support/subprocess.h"

namespace cordon::testing {

bool OnWindows() {
  return false;
}
bool UnderWine() {
  return false;
}
bool IsAdministrator() {
  return geteuid() == 0;
}

std::filesystem::path Errand() {
  return std::filesystem::path(kBinaryDir) / "tests" / "errand";
}

struct ChildProgram::State {
  Subprocess process;
};

ChildProgram::ChildProgram(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                           const std::filesystem::path& working_dir) {
  std::vector<std::string> args = {program.string()};
  args.insert(args.end(), arguments.begin(), arguments.end());
  state_ = std::unique_ptr<State>(
      new State{Subprocess(std::move(args), {.env = {}, .working_dir = working_dir, .net_namespace = {}})});
}
ChildProgram::~ChildProgram() = default;

uint32_t ChildProgram::Pid() const {
  return static_cast<uint32_t>(state_->process.Pid());
}
int ChildProgram::Wait() {
  return state_->process.Wait().value_or(-1);
}
void ChildProgram::Kill() {
  state_->process.Kill();
}

}  // namespace cordon::testing
