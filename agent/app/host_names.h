#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/config.h"
#include "agent/names/names.h"
#include "common/base/clock.h"
#include "common/base/network.h"
#include "platform/api/connections.h"
#include "platform/api/dns_client.h"

namespace cordon::agent {

// The DNS guard of this host: resolvers from the settings or else from the system, the controllers' names may
// be asked for, so that the agent's own look-ups work while the host is isolated (ISO-4). `client`: nullptr
// where there is none to be turned.
std::unique_ptr<Names> MakeHostNames(boost::asio::io_context& loop, const Clock& clock,
                                     platform::ConnectionTable& connections, const AgentConfig& config,
                                     const std::vector<HostPort>& controllers, platform::DnsClient* client);

}  // namespace cordon::agent
