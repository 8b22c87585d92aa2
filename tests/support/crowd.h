#pragma once

#include <string>

#include "tests/support/subprocess.h"

namespace cordon::testing {

// A program that opens TCP connections and says nothing on them, for as long as the object lives.
class Crowd {
 public:
  struct Plan {
    std::string source;  // the address it comes from
    std::string to;
    int port = 0;
    int count = 0;
    std::string net_namespace = {};  // empty = the test's
  };

  // Returns when all were tried and nobody has closed one for a second. Throws std::runtime_error.
  explicit Crowd(const Plan& plan);

  int Open() const { return open_; }        // those that were let be
  int Refused() const { return refused_; }  // those that failed or were closed

 private:
  Subprocess process_;
  int open_ = 0;
  int refused_ = 0;
};

}  // namespace cordon::testing
