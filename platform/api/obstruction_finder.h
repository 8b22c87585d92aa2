#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/network.h"

namespace cordon::platform {

// The agent's own channel, as others could hit it.
struct ChannelFacts {
  std::vector<std::string> names;     // of controllers, as the enrolment file has them; not addresses
  std::vector<Endpoint> controllers;  // where they are dialled
  // By name, where a controller answered last, proven by its certificate; a name may have none.
  std::map<std::string, boost::asio::ip::address> reached = {};
};

// Looks for what others have set up on this host that keeps the agent from its controllers: rules, routes,
// programs at interfaces, lines of the hosts file. Not thread-safe; looks into the network namespace of the
// thread that makes it.
class ObstructionFinder {
 public:
  virtual ~ObstructionFinder() = default;

  // One sentence each, that names table, chain and rule, or route, or file and line. A finding may be wrong
  // in a detail (a rule's other matches are not all understood): to be asked when the channel does not work.
  // Some milliseconds.
  virtual std::vector<std::string> Find(const ChannelFacts& channel) = 0;
};

// `hosts_file`: "/etc/hosts" but in tests.
std::unique_ptr<ObstructionFinder> MakeObstructionFinder(const std::string& hosts_file = "/etc/hosts");

}  // namespace cordon::platform
