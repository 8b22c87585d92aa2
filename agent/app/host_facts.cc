#include "agent/app/host_facts.h"

#include <boost/asio/ip/address.hpp>
#include <string>

#include "agent/app/version.h"

namespace cordon::agent {
namespace {

// Alone of its link, where every container's interface has one. What is no address is told last.
bool LeadsNoFurther(const std::string& text) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(text, error);
  if (error) return true;
  if (address.is_v6()) return address.to_v6().is_link_local();
  const auto bytes = address.to_v4().to_bytes();
  return bytes[0] == 169 && bytes[1] == 254;
}

}  // namespace

void TellAddresses(const std::vector<std::string>& addresses, v1::HostFacts* facts) {
  facts->clear_addresses();
  for (const bool on_link : {false, true}) {
    for (const std::string& address : addresses) {
      if (LeadsNoFurther(address) == on_link && facts->addresses_size() < kMostToldAddresses)
        facts->add_addresses(address);
    }
  }
}

v1::HostFacts MakeHostFacts(const platform::SystemFacts& system, const AgentConfig& config) {
  v1::HostFacts facts;
  facts.set_host_name(config.host_name.empty() ? system.host_name : config.host_name);
  facts.set_os(system.os);
  facts.set_kernel(system.kernel);
  facts.set_architecture(system.architecture);
  facts.set_agent_version(kVersion);
  facts.set_machine_id(system.machine_id_sha256);
  TellAddresses(system.addresses, &facts);
  return facts;
}

}  // namespace cordon::agent
