#include "agent/app/host_facts.h"

#include "agent/app/version.h"

namespace cordon::agent {

v1::HostFacts MakeHostFacts(const platform::SystemFacts& system, const AgentConfig& config) {
  v1::HostFacts facts;
  facts.set_host_name(config.host_name.empty() ? system.host_name : config.host_name);
  facts.set_os(system.os);
  facts.set_kernel(system.kernel);
  facts.set_architecture(system.architecture);
  facts.set_agent_version(kVersion);
  facts.set_machine_id(system.machine_id_sha256);
  for (const std::string& address : system.addresses) facts.add_addresses(address);
  return facts;
}

}  // namespace cordon::agent
