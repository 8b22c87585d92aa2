#include "tests/support/exec_storm.h"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/support/build_paths.h"

namespace cordon::testing {
namespace {

bool RunOne(const std::string& program, const std::string& tag, int number) {
  std::string name = "storm";
  std::string tag_copy = tag;
  std::string text = std::to_string(number);
  std::array<char*, 4> argv{name.data(), tag_copy.data(), text.data(), nullptr};
  std::array<char*, 1> no_environment{nullptr};
  pid_t pid = 0;
  if (posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv.data(), no_environment.data()) != 0)
    return false;
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return true;
}

}  // namespace

double OwnCpuSeconds() {
  double seconds = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage use{};
    getrusage(who, &use);
    for (const timeval& time : {use.ru_utime, use.ru_stime}) {
      seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    }
  }
  return seconds;
}

std::string TinyProgram() {
  return std::string(kBinaryDir) + "/tests/tiny_program";
}

bool RunTiny(const std::string& tag, int number) {
  return RunOne(TinyProgram(), tag, number);
}

StormResult RunExecStorm(int count, const std::string& tag, int workers) {
  std::atomic<int> next = 0;
  std::atomic<int> failed = 0;
  const std::string program = TinyProgram();
  const double cpu_before = OwnCpuSeconds();
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int worker = 0; worker < workers; ++worker) {
      threads.emplace_back([&] {
        for (int number = next++; number < count; number = next++) {
          if (!RunOne(program, tag, number)) ++failed;
        }
      });
    }
  }
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          OwnCpuSeconds() - cpu_before, failed};
}

}  // namespace cordon::testing
