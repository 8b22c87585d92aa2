#include "agent/app/host_names.h"

#include <set>
#include <utility>

#include "agent/app/path_part.h"
#include "agent/names/kept_names.h"
#include "agent/names/name_service.h"
#include "platform/api/resolvers.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr uint16_t kDnsPort = 53;

absl::StatusOr<std::vector<Endpoint>> Resolvers(const std::vector<std::string>& settings) {
  if (settings.empty()) return platform::ReadResolvers();
  std::vector<Endpoint> resolvers;
  for (const std::string& text : settings)
    resolvers.push_back({boost::asio::ip::make_address(text), kDnsPort});  // checked when they were read
  return resolvers;
}

std::set<boost::asio::ip::address> OwnAddresses() {
  std::set<boost::asio::ip::address> own;
  for (const std::string& text : platform::ReadSystemFacts().addresses) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(text, error);
    if (!error) own.insert(address);
  }
  return own;
}

}  // namespace

std::unique_ptr<Names> MakeHostNames(boost::asio::io_context& loop, const Clock& clock,
                                     platform::ConnectionTable& connections, const AgentConfig& config,
                                     const std::vector<HostPort>& controllers, platform::DnsClient* client) {
  return MakeNameService({.loop = loop,
                          .clock = clock,
                          .connections = connections,
                          .resolvers = [settings = config.dns_resolvers] { return Resolvers(settings); },
                          .own_addresses = OwnAddresses,
                          .port_file = config.state_dir / kGuardPortFile,
                          .other_names = NamesOf(controllers),
                          .client = client});
}

}  // namespace cordon::agent
