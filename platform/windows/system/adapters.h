#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

#include "common/base/network.h"

namespace cordon::platform {

struct Adapter {
  std::string name;  // as people see it: "Ethernet"
  bool loopback = false;
  bool up = false;
  std::vector<boost::asio::ip::address> addresses;
  std::vector<Endpoint> resolvers;  // port 53
};

// Empty when the system does not say.
std::vector<Adapter> ListAdapters();

}  // namespace cordon::platform
