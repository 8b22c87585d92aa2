#pragma once

// `cordon-controller serve`: the server until it is told to stop.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "controller/server/budgets.h"

namespace cordon::controller {

struct ServeOptions {
  std::filesystem::path data;
  std::string listen = "0.0.0.0:8443";
  std::string store = "sqlite";           // the only one so far
  std::string export_to;                  // "file:PATH" or "syslog-tls:HOST:PORT"; empty = nowhere
  std::string host_certificates = "30d";  // how long they are good; "1m" to "365d"
  uint32_t keep_events_days = 0;          // 0 = for ever; at most 36,500
  // What one host may send and do, in the long run; nothing: the usual, see HostLimits.
  std::optional<uint32_t> host_bytes_per_second;
  std::optional<uint32_t> host_events_per_second;
  std::optional<uint32_t> host_openings_per_hour;
  std::optional<uint32_t> host_renewals_per_hour;
  std::optional<uint32_t> host_chains_per_hour;
  std::string
      export_ca;  // PEM file: who may certify the syslog server; empty = the system's certificate store
};

// The budgets that the options ask for; bursts keep their proportion to the usual ones. INVALID_ARGUMENT
// names the flag that is out of bounds.
absl::StatusOr<HostLimits> HostLimitsOf(const ServeOptions& options);

// Returns when the system asks to stop (then OK), or when the server cannot start: INVALID_ARGUMENT for a bad
// option, else what is missing or damaged.
absl::Status Serve(const ServeOptions& options);

}  // namespace cordon::controller
