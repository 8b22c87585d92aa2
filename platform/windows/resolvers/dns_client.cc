#include "platform/api/dns_client.h"

#include "platform/windows/resolvers/nrpt_client.h"

namespace cordon::platform {

std::unique_ptr<DnsClient> MakeDnsClient() {
  return nrpt::MakeNrptClient(nrpt::MakeRegistryTable());
}

}  // namespace cordon::platform
