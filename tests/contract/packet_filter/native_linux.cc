// The kernel, each subject in a namespace of its own.

#include <optional>

#include "tests/contract/packet_filter/subject.h"
#include "tests/support/native.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {
namespace {

struct Host {
  NetNamespace space{"pf"};
  std::optional<InNetNamespace> inside;
};

std::unique_ptr<Subject> Make() {
  auto subject = std::make_unique<Subject>();
  auto host = std::make_shared<Host>();
  host->space.Ip("link add eth0 type veth peer name eth1");
  host->inside.emplace(host->space);
  subject->add_uplink = [space = &host->space] { space->Ip("link add late0 type veth peer name late1"); };
  subject->make_another = [] { return platform::MakePacketFilter(); };
  subject->host = std::move(host);
  subject->filter = platform::MakePacketFilter();
  return subject;
}

}  // namespace

std::vector<SubjectKind> NativeFilters() {
  return {{.name = "Native",
           .why_not = IsAdministrator() ? "" : "not root: network namespaces need it",
           .make = Make}};
}

}  // namespace cordon::testing
