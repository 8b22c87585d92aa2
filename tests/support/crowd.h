#pragma once

#include <string>
#include <vector>

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

// A program that makes TLS handshakes without a certificate, one after the other on each of several threads,
// each from another of its sources, and hangs up after each.
class HandshakeFlood {
 public:
  struct Plan {
    std::vector<std::string> sources;
    std::string to;
    int port = 0;
    int seconds = 0;  // how long
    std::string net_namespace = {};
  };

  // Returns when the first handshake is done. Throws std::runtime_error.
  explicit HandshakeFlood(const Plan& plan);

  bool Running() { return process_.Running(); }
  // Waits for the end; how many handshakes were finished on this side.
  int Count();

 private:
  Subprocess process_;
};

}  // namespace cordon::testing
