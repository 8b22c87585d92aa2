// The machine's own WFP: Windows has no other one to try, so only whoever says so has it shut.

#include <cstdlib>

#include "tests/contract/packet_filter/subject.h"
#include "tests/support/native.h"

namespace cordon::testing {
namespace {

std::unique_ptr<Subject> Make() {
  auto subject = std::make_unique<Subject>();
  subject->host = {nullptr, [](void*) {
                     (void)platform::MakePacketFilter()->Apply({.level = platform::Level::kObserve});
                   }};
  subject->filter = platform::MakePacketFilter();
  subject->make_another = [] { return platform::MakePacketFilter(); };
  return subject;
}

std::string WhyNot() {
  if (UnderWine()) return "wine: FwpmEngineOpen0 answers 1764, there is no WFP";
  if (std::getenv("CORDON_TEST_WFP") == nullptr)
    return "Windows: it would shut this machine's network; CORDON_TEST_WFP=1 allows it";
  return IsAdministrator() ? "" : "not root: WFP's filters need an administrator";
}

}  // namespace

std::vector<SubjectKind> NativeFilters() {
  return {{.name = "Native", .why_not = WhyNot(), .make = Make}};
}

}  // namespace cordon::testing
