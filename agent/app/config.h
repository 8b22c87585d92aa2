#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/isolation/boot_hold.h"
#include "platform/api/places.h"

namespace cordon::agent {

// The agent's settings; docs/examples/agent.toml explains each.
struct AgentConfig {
  std::filesystem::path state_dir = platform::DefaultPlaces().state_folder;
  std::filesystem::path socket;            // empty in the file: by Socket()
  std::string host_name;                   // empty: the system's
  std::string log_level = "info";          // debug, info, warn, error
  std::vector<std::string> watched_paths;  // empty: the default policy's
  std::vector<std::string> excluded_paths;
  std::string process_source = "auto";              // auto, ebpf, proc-connector
  int64_t fold_bursts = 10'000;                     // processes of one group in a second; 0: never
  std::vector<std::string> dns_resolvers;           // addresses; empty: the system's
  int64_t boot_hold_nanos = kDefaultBootHoldNanos;  // 0: a host that was off is not held at boot
  uint64_t spool_max_bytes = 256ULL << 20;
  int64_t spool_max_age_nanos = 30LL * 86'400 * 1'000'000'000;
  bool flows_enabled = true;
  bool flows_tell = true;  // as events
  int64_t flows_days = 14;

  // Beside the state unless that is in its usual place.
  std::filesystem::path Socket() const;
};

// What the command line said; wins over everything else.
struct ConfigFlags {
  std::optional<std::string> config_file;  // must exist when given
  std::optional<std::string> state_dir;
  std::optional<std::string> socket;
  std::optional<std::string> log_level;
};

using Environment = std::function<const char*(const char* name)>;  // as std::getenv

// Flag > environment (CORDON_CONFIG, CORDON_STATE_DIR, CORDON_SOCKET, CORDON_HOST_NAME, CORDON_LOG_LEVEL) >
// file. The file's errors name file and line.
absl::StatusOr<AgentConfig> LoadConfig(const ConfigFlags& flags, const Environment& environment);

// The text of a file, over the defaults. INVALID_ARGUMENT "file:line: what, and what would be right" for
// anything unknown, of the wrong type or out of bounds; pure. At most 1 MiB.
absl::StatusOr<AgentConfig> ParseConfig(std::string_view text, const std::string& file_name);

}  // namespace cordon::agent
