// agent.toml: root writes it, and a bad one must not stop at anything but a clear error.

#include <absl/strings/match.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/app/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = cordon::agent::ParseConfig(text, "fuzz.toml");
  if (!config.ok()) {
    const bool clear = absl::StartsWith(config.status().message(), "fuzz.toml");
    if (!absl::IsInvalidArgument(config.status()) || !clear) std::abort();
    return 0;
  }
  if (!config->state_dir.is_absolute() || !config->Socket().is_absolute()) std::abort();
  if (config->spool_max_bytes < (16ULL << 20U) || config->spool_max_bytes > (64ULL << 30U)) std::abort();
  if (config->spool_max_age_nanos <= 0 || config->flows_days < 1 || config->flows_days > 90) std::abort();
  if (config->boot_hold_nanos < 0 || config->boot_hold_nanos > cordon::agent::kMaxBootHoldNanos) std::abort();
  for (const auto& path : config->watched_paths) {
    if (!std::filesystem::path(path).is_absolute()) std::abort();
  }
  return 0;
}
