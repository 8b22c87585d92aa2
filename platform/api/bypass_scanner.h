#pragma once

#include <memory>
#include <string>
#include <vector>

namespace cordon::platform {

// Finds what leads packets past the packet filter's rules, whatever these say (ISO-7): programs and filters
// that take, send or rewrite packets before the rules judge them or after, and ways that no rule sees. They
// take the rights of root to set up; the packet filter cannot close them, so the receipt names them. Not
// thread-safe; looks into the network namespace of the thread that makes it.
class BypassScanner {
 public:
  virtual ~BypassScanner() = default;

  // One sentence each, for an operator; empty when there is none. What cannot be looked into is a sentence
  // too. Some milliseconds.
  virtual std::vector<std::string> Scan() = 0;
};

std::unique_ptr<BypassScanner> MakeBypassScanner();

}  // namespace cordon::platform
