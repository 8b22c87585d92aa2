#include "tests/contract/process_source/sources.h"
#include "tests/support/native.h"

namespace cordon::testing {

std::vector<std::string> ProcessSourceNames() {
  return {"ebpf", "proc-connector"};
}

std::string WhyNotHere(const std::string& /*source*/) {
  return IsAdministrator() ? "" : "not root: the kernel tells nobody else about all processes";
}

}  // namespace cordon::testing
