#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cordon::testing {

// A network namespace of a test, with lo up and duplicate address detection off, removed with all its
// interfaces by the destructor. Throws std::runtime_error when something cannot be made.
class NetNamespace {
 public:
  // `label`: a few letters that tell namespaces apart in messages.
  explicit NetNamespace(std::string_view label = "t");
  NetNamespace(const NetNamespace&) = delete;
  NetNamespace& operator=(const NetNamespace&) = delete;
  ~NetNamespace();

  const std::string& Name() const { return name_; }

  // `ip ARGUMENTS` inside, arguments separated by blanks: Ip("route add default via 10.0.0.1"). Returns its
  // output.
  std::string Ip(std::string_view arguments) const;

  // Any command inside. Returns its output.
  std::string Run(std::vector<std::string> args) const;

  // Sets e.g. "net/ipv4/ip_forward" inside.
  void SetSysctl(std::string_view name, std::string_view value) const;

 private:
  std::string name_;
};

// The calling thread is inside the namespace from construction to destruction: its sockets, netlink and
// children are.
class InNetNamespace {
 public:
  explicit InNetNamespace(const std::string& name);
  explicit InNetNamespace(const NetNamespace& inside) : InNetNamespace(inside.Name()) {}
  InNetNamespace(const InNetNamespace&) = delete;
  InNetNamespace& operator=(const InNetNamespace&) = delete;
  ~InNetNamespace();

 private:
  int before_ = -1;
};

// One end of a cable: `interface` (at most 15 letters) is made in `inside`, gets `addresses` ("10.0.0.1/24",
// "fd00::1/64") and is up.
struct LinkEnd {
  const NetNamespace& inside;
  std::string interface;
  std::vector<std::string> addresses;
};

// A veth pair. It goes when one of the two namespaces goes.
void ConnectByVeth(const LinkEnd& a, const LinkEnd& b);

// `inside` knows the addresses of `neighbour` at its own `interface` for good: no packet waits for an answer
// of ARP or neighbour discovery, which levels forbid.
void KnowNeighbour(const NetNamespace& inside, const std::string& interface, const LinkEnd& neighbour);

// A bridge over interfaces that are already in `end.inside`.
void AddBridge(const LinkEnd& end, const std::vector<std::string>& ports);

// A macvlan (bridge mode) on `parent`, an interface in `parent_inside`, living in `end.inside`.
void AddMacvlan(const NetNamespace& parent_inside, const std::string& parent, const LinkEnd& end);

}  // namespace cordon::testing
