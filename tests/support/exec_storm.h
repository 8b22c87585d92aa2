#pragma once

#include <string>

namespace cordon::testing {

// The program that a storm starts: static, without libc, exits at once (tests/support/tiny_program.c).
std::string TinyProgram();

// CPU time of this process and of its children that have been waited for.
double OwnCpuSeconds();

// Starts TinyProgram once, with the arguments "storm", `tag` and the number, and waits for it. False when it
// cannot be started.
bool RunTiny(const std::string& tag, int number);

struct StormResult {
  double seconds = 0;
  double cpu_seconds = 0;  // of this process and the children, in user and kernel space
  int failed = 0;          // could not be started
};

// Starts TinyProgram `count` times with posix_spawn, as fast as it goes on `workers` threads, each waiting
// for its child. Its arguments are "storm", `tag` and the number, from 0.
StormResult RunExecStorm(int count, const std::string& tag, int workers = 2);

}  // namespace cordon::testing
