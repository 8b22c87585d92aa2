#include "agent/app/config.h"

#include <algorithm>
#include <array>
#include <span>
#include <sstream>

#include "agent/app/toml_section.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxFileBytes = 1024 * 1024;
constexpr size_t kMaxPaths = 256;
constexpr size_t kMaxResolvers = 8;
constexpr size_t kMaxSocketPathBytes = 90;  // the system's limit is 107; a temporary name stands beside it
constexpr size_t kMaxHostNameBytes = 253;
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 3> kProcessSources = {"auto", "ebpf", "proc-connector"};

void ReadAgent(TomlSection section, AgentConfig* config) {
  std::string state_dir = config->state_dir.string();
  std::string socket;
  section.AbsolutePath("state_dir", &state_dir);
  section.AbsolutePath("socket", &socket);
  section.Text("host_name", kMaxHostNameBytes, &config->host_name);
  section.OneOf("log_level", kLogLevels, &config->log_level);
  config->state_dir = state_dir;
  config->socket = socket;
}

void ReadWatch(TomlSection section, AgentConfig* config) {
  section.AbsolutePaths("paths", kMaxPaths, &config->watched_paths);
  section.Texts("excluded", kMaxPaths, &config->excluded_paths);
}

void ReadProcess(TomlSection section, AgentConfig* config) {
  section.OneOf("source", kProcessSources, &config->process_source);
  section.Integer("fold_bursts", 0, 1'000'000, &config->fold_bursts);
}

void ReadSpool(TomlSection section, AgentConfig* config) {
  constexpr int64_t kMebibyte = 1024 * 1024;
  int64_t max_mib = static_cast<int64_t>(config->spool_max_bytes) / kMebibyte;
  section.Integer("max_mib", 16, 64 * 1024, &max_mib);
  config->spool_max_bytes = static_cast<uint64_t>(max_mib * kMebibyte);
  section.Duration("max_age", &config->spool_max_age_nanos);
}

void ReadIsolation(TomlSection section, AgentConfig* config) {
  int64_t seconds = config->boot_hold_nanos / kNanosPerSecond;
  section.Integer("hold_until_connected_s", 0, kMaxBootHoldNanos / kNanosPerSecond, &seconds);
  config->boot_hold_nanos = seconds * kNanosPerSecond;
}

void ReadFlows(TomlSection section, AgentConfig* config) {
  section.Boolean("enabled", &config->flows_enabled);
  section.Boolean("tell", &config->flows_tell);
  section.Integer("days", 1, 90, &config->flows_days);
}

absl::Status CheckChoice(std::string_view what, std::string_view value,
                         std::span<const std::string_view> choices) {
  if (std::ranges::find(choices, value) != choices.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(what, ": '", Printable(value), "' is none of ", JoinChoices(choices)));
}

absl::Status CheckPath(std::string_view what, const std::filesystem::path& path) {
  if (path.is_absolute()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(what, ": '", Printable(path.string()), "' is not an absolute path"));
}

absl::StatusOr<AgentConfig> LoadFile(const ConfigFlags& flags, const Environment& environment) {
  const char* const from_environment = environment("CORDON_CONFIG");
  const bool asked_for = flags.config_file.has_value() || from_environment != nullptr;
  std::string file = platform::DefaultPlaces().config_file.string();
  if (from_environment != nullptr) file = from_environment;
  if (flags.config_file.has_value()) file = *flags.config_file;
  if (!asked_for) {
    const absl::Status trusted = platform::CheckSettingsFile(file);
    if (absl::IsNotFound(trusted)) return AgentConfig();
    CORDON_RETURN_IF_ERROR(Annotate(trusted, "settings"));
  }
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(file, kMaxFileBytes);
  CORDON_RETURN_IF_ERROR(Annotate(text.status(), "settings"));
  return ParseConfig(*text, file);
}

}  // namespace

std::filesystem::path AgentConfig::Socket() const {
  if (!socket.empty()) return socket;
  const platform::Places places = platform::DefaultPlaces();
  return state_dir == places.state_folder ? places.socket : state_dir / places.socket.filename();
}

absl::StatusOr<AgentConfig> ParseConfig(std::string_view text, const std::string& file_name) {
  AgentConfig config;
  CORDON_RETURN_IF_ERROR(ReadToml(text, file_name, [&config](TomlSection root) {
    ReadAgent(root.Section("agent"), &config);
    ReadWatch(root.Section("watch"), &config);
    ReadProcess(root.Section("process"), &config);
    root.Section("dns").Addresses("resolvers", kMaxResolvers, &config.dns_resolvers);
    ReadSpool(root.Section("spool"), &config);
    ReadIsolation(root.Section("isolation"), &config);
    ReadFlows(root.Section("flows"), &config);
  }));
  return config;
}

absl::StatusOr<AgentConfig> LoadConfig(const ConfigFlags& flags, const Environment& environment) {
  CORDON_ASSIGN_OR_RETURN(AgentConfig config, LoadFile(flags, environment));
  const auto choose = [&](const std::optional<std::string>& flag, const char* variable, auto* setting) {
    if (const char* const value = environment(variable); value != nullptr) *setting = value;
    if (flag) *setting = *flag;
  };
  choose(flags.state_dir, "CORDON_STATE_DIR", &config.state_dir);
  choose(flags.socket, "CORDON_SOCKET", &config.socket);
  choose(flags.log_level, "CORDON_LOG_LEVEL", &config.log_level);
  choose(std::nullopt, "CORDON_HOST_NAME", &config.host_name);
  CORDON_RETURN_IF_ERROR(CheckPath("state_dir", config.state_dir));
  CORDON_RETURN_IF_ERROR(CheckPath("socket", config.Socket()));
  CORDON_RETURN_IF_ERROR(CheckChoice("log_level", config.log_level, kLogLevels));
  if (!IsPlainText(config.host_name, kMaxHostNameBytes)) {
    return absl::InvalidArgumentError("host_name: not plain text of at most 253 bytes");
  }
  if (config.Socket().string().size() > kMaxSocketPathBytes) {
    return absl::InvalidArgumentError(StrCat("socket: ", config.Socket().string(), " is longer than ",
                                             kMaxSocketPathBytes, " bytes; set a shorter one"));
  }
  return config;
}

}  // namespace cordon::agent
