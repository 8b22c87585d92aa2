#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cordon::agent {

// Which facts of one process were told lately, so that a fact that repeats for each request of a server is
// told once an hour. Remembers at most kKept facts by their hash, those told last. Pure.
class ToldMemory {
 public:
  static constexpr size_t kKept = 16;
  static constexpr int64_t kForNanos = 3'600'000'000'000;

  // True when the fact is to be told now; then it counts as told.
  bool IsNews(std::string_view fact, int64_t boottime_nanos);

 private:
  struct Told {
    uint64_t hash;
    int64_t boottime_nanos;
  };
  std::vector<Told> told_;  // the oldest first
};

}  // namespace cordon::agent
