#include "tests/support/net_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "common/base/strings.h"
#include "tests/support/subprocess.h"

namespace cordon::testing {
namespace {

// Begins with the name of the run, if there is one: scripts/test looks for what its run has left behind.
std::string NewName(std::string_view label) {
  static std::atomic<unsigned> next = 0;
  const char* run = std::getenv("CORDON_TEST_RUN");
  const std::string_view name = run != nullptr ? run : "";
  return StrCat("cordon-", name, name.empty() ? "" : "-", getpid(), "-", label, next++);
}

std::vector<std::string> Words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

void Raise(const LinkEnd& end) {
  for (const std::string& address : end.addresses) {
    const bool v6 = address.find(':') != std::string::npos;
    end.inside.Ip(StrCat("addr add ", address, " dev ", end.interface, v6 ? " nodad" : ""));
  }
  end.inside.Ip(StrCat("link set ", end.interface, " up"));
}

}  // namespace

NetNamespace::NetNamespace(std::string_view label) : name_(NewName(label)) {
  MustRun({"ip", "netns", "add", name_});
  Ip("link set lo up");
  SetSysctl("net/ipv6/conf/all/accept_dad", "0");
  SetSysctl("net/ipv6/conf/default/accept_dad", "0");
}

NetNamespace::~NetNamespace() {
  RunCommand({"ip", "netns", "del", name_});
}

std::string NetNamespace::Ip(std::string_view arguments) const {
  std::vector<std::string> args = {"ip", "-n", name_};
  for (std::string& word : Words(arguments)) args.push_back(std::move(word));
  return MustRun(std::move(args));
}

std::string NetNamespace::Run(std::vector<std::string> args) const {
  return MustRun(std::move(args), {.env = {}, .working_dir = {}, .net_namespace = name_});
}

void NetNamespace::SetSysctl(std::string_view name, std::string_view value) const {
  const InNetNamespace inside(name_);  // /proc/sys/net shows the namespace of the thread that opens it
  const std::string path = StrCat("/proc/sys/", name);
  std::ofstream file(path);
  file << value << std::flush;
  if (!file) throw std::runtime_error(StrCat("cannot set ", path, " to ", value));
}

InNetNamespace::InNetNamespace(const std::string& name) {
  before_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const int inside = open(StrCat("/run/netns/", name).c_str(), O_RDONLY | O_CLOEXEC);
  const bool entered = inside >= 0 && before_ >= 0 && setns(inside, CLONE_NEWNET) == 0;
  const int error = errno;
  if (inside >= 0) close(inside);
  if (!entered) {
    if (before_ >= 0) close(before_);
    throw std::runtime_error(StrCat("cannot enter the network namespace ", name, ": ", std::strerror(error)));
  }
}

InNetNamespace::~InNetNamespace() {
  // Going on in the wrong namespace would let a test touch the machine's own network.
  if (setns(before_, CLONE_NEWNET) != 0) std::terminate();
  close(before_);
}

void ConnectByVeth(const LinkEnd& a, const LinkEnd& b) {
  MustRun({"ip", "link", "add", a.interface, "netns", a.inside.Name(), "type", "veth", "peer", "name",
           b.interface, "netns", b.inside.Name()});
  Raise(a);
  Raise(b);
}

void KnowNeighbour(const NetNamespace& inside, const std::string& interface, const LinkEnd& neighbour) {
  // name, state, address, flags
  const std::string mac = Words(neighbour.inside.Ip(StrCat("-br link show dev ", neighbour.interface))).at(2);
  for (const std::string& address : neighbour.addresses) {
    inside.Ip(StrCat("neigh replace ", address.substr(0, address.find('/')), " lladdr ", mac,
                     " nud permanent dev ", interface));
  }
}

void AddBridge(const LinkEnd& end, const std::vector<std::string>& ports) {
  end.inside.Ip(StrCat("link add ", end.interface, " type bridge"));
  for (const std::string& port : ports)
    end.inside.Ip(StrCat("link set ", port, " master ", end.interface, " up"));
  Raise(end);
}

void AddMacvlan(const NetNamespace& parent_inside, const std::string& parent, const LinkEnd& end) {
  parent_inside.Ip(StrCat("link add ", end.interface, " link ", parent, " netns ", end.inside.Name(),
                          " type macvlan mode bridge"));
  Raise(end);
}

}  // namespace cordon::testing
