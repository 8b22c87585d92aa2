#pragma once

// Decides when the table is written and the client told; the effects stand behind `Table`.

#include <absl/status/statusor.h>

#include <memory>
#include <optional>

#include "platform/api/dns_client.h"
#include "platform/windows/resolvers/nrpt_rule.h"

namespace cordon::platform::nrpt {

// The few things that are done to the registry and to the service, so that every way in which they can fail
// is tested where there is no such service. nrpt_registry.cc has the real one. Errors: PERMISSION_DENIED,
// UNAVAILABLE, with the system's number.
class Table {
 public:
  virtual ~Table() = default;

  // Cordon's rule in the local table; nullopt when there is none.
  virtual absl::StatusOr<std::optional<Rule>> Read() = 0;
  // In the place of what stands there.
  virtual absl::Status Write(const Rule& rule) = 0;
  // OK when there is none.
  virtual absl::Status Delete() = 0;
  // The client reads its table again (SERVICE_CONTROL_PARAMCHANGE), and forgets what it has resolved. OK also
  // when it does not run: it reads the table when it starts.
  virtual absl::Status Reload() = 0;
  virtual Surroundings Look() = 0;
};

std::unique_ptr<DnsClient> MakeNrptClient(std::unique_ptr<Table> table);

// The real one.
std::unique_ptr<Table> MakeRegistryTable();

}  // namespace cordon::platform::nrpt
