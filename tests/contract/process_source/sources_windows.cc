#include "tests/contract/process_source/sources.h"
#include "tests/support/native.h"

namespace cordon::testing {

std::vector<std::string> ProcessSourceNames() {
  return {"etw", "toolhelp"};
}

std::string WhyNotHere(const std::string& source) {
  if (source == "etw" && UnderWine())
    return "wine: OpenTrace answers 5 and ProcessTrace 120, no event ever comes";
  return IsAdministrator() ? "" : "not root: the kernel tells nobody else about all processes";
}

}  // namespace cordon::testing
