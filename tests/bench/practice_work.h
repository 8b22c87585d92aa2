#pragma once

#include <chrono>
#include <filesystem>
#include <vector>

namespace cordon::testing {

// A stand-in for a practice system and the person before it: a transaction on an SQLite database, a look at
// what it holds, five small files read; then a short pause. Returns how many seconds each such step took,
// without the pause. Throws std::runtime_error.
class PracticeWork {
 public:
  // Makes database and files in `folder`.
  explicit PracticeWork(std::filesystem::path folder);
  std::vector<double> For(std::chrono::seconds length);

 private:
  const std::filesystem::path folder_;
};

}  // namespace cordon::testing
