#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/names/names.h"
#include "common/base/clock.h"
#include "platform/api/connections.h"
#include "platform/api/dns_client.h"

namespace cordon::agent {

struct NameServiceParts {
  boost::asio::io_context& loop;
  const Clock& clock;
  platform::ConnectionTable& connections;
  // The host's resolvers as they are now (platform/api/resolvers.h).
  std::function<absl::StatusOr<std::vector<Endpoint>>()> resolvers;
  std::function<std::set<boost::asio::ip::address>()> own_addresses;
  std::filesystem::path port_file;  // where the guard's port is remembered
  // The controllers', not their addresses: programs may ask for them, and they open nothing. The agent looks
  // them up by itself where the system cannot.
  std::vector<std::string> other_names;
  // Turned to the guard while it listens; nullptr where the packet filter does that.
  platform::DnsClient* client = nullptr;
};

std::unique_ptr<Names> MakeNameService(NameServiceParts parts);

}  // namespace cordon::agent
