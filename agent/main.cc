#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/app/commands.h"
#include "agent/app/config.h"
#include "agent/app/log.h"
#include "agent/app/version.h"
#include "agent/link/prepare.h"
#include "agent/scan/scanner_child.h"
#include "common/base/status.h"
#include "platform/api/places.h"

namespace {

using namespace cordon;  // NOLINT: main speaks of nothing else

constexpr int kRefused = 1;
constexpr int kBadUsage = 2;

int Fail(int status, const absl::Status& why) {
  fmt::print(stderr, "cordon-agent: {}\n", Message(why));
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Cordon's agent: contains a cyber incident on this host");
  app.set_version_flag("--version", agent::kVersion);
  app.require_subcommand(1);
  agent::ConfigFlags flags;
  agent::EnrollFlags joining;
  std::string output = "text";

  CLI::App* const enroll = app.add_subcommand("enroll", "Join this host to the fleet that made FILE");
  auto* const joined_by = enroll->add_option_group("enrolment")->require_option(1);
  joined_by->add_option("FILE", joining.file, "Enrolment file, from: cordonctl enrollment create");
  joined_by->add_option("--from-folder", joining.folder,
                        "Take the *.enroll in this folder, if there is one, in place of FILE");
  enroll->add_flag("--replace", joining.replace, "Give up an enrolment that exists");
  enroll->add_flag("--unless-enrolled", joining.unless_enrolled, "Leave an enrolment that exists as it is")
      ->excludes("--replace");
  CLI::App* const run = app.add_subcommand("run", "Watch and protect this host until told to stop");
  CLI::App* const status = app.add_subcommand("status", "Ask the agent that runs here how it is");
  status->add_option("-o,--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));
  agent::UnlockOptions unlocking;
  CLI::App* const unlock = app.add_subcommand(
      "unlock",
      "Free this host by phone: shows a challenge, waits for the code that the security team answers");
  unlock->add_option("--level", unlocking.level, "Down to which level")
      ->check(CLI::IsMember({"observe", "no-lateral", "essential", "controller-only"}));
  unlock->add_option("--for", unlocking.length, "For how long; then the ordered level is back by itself");
  unlock->add_option("--code", unlocking.code, "Answer the challenge that is open, instead of a new one")
      ->excludes("--level", "--for");
  bool check = false;
  bool release = false;
  CLI::App* const remove = app.add_subcommand("remove", "Before the agent is taken off this host: record it");
  remove->add_flag("--check", check, "Only say whether the host is isolated, in which case it refuses");
  remove->add_flag("--release", release, "Release the host first, if it is isolated");
  CLI::App* const install = app.add_subcommand("install", "Windows: make the service that runs the agent");
  CLI::App* const uninstall = app.add_subcommand("uninstall", "Windows: stop that service and remove it");
  CLI::App* const start = app.add_subcommand("start", "Windows: start that service, if the host is enrolled");
  CLI::App* const stop =
      app.add_subcommand("stop", "Windows: stop that service; it starts with the system again");
  const platform::Places places = platform::DefaultPlaces();
  for (CLI::App* const command : {enroll, run, start, status, unlock, remove}) {
    command->add_option("--config", flags.config_file,
                        StrCat("Settings (default ", places.config_file.string(), ", if it is there)"));
    command->add_option("--state", flags.state_dir,
                        StrCat("State folder (default ", places.state_folder.string(), ")"));
    command->add_option("--log-level", flags.log_level, "debug, info, warn or error");
  }
  for (CLI::App* const command : {run, status, unlock}) {
    command->add_option("--socket", flags.socket, "Local socket for health and status");
  }
  uint32_t uid = 0;
  CLI::App* const show = app.add_subcommand("show-notice", "")->group("");  // started by the agent itself
  show->add_option("--uid", uid)->required();
  CLI::App* const scan = app.add_subcommand(agent::kScannerCommand, "")->group("");  // so is this
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }

  if (show->parsed()) return agent::ShowNoticeCommand(uid);
  if (scan->parsed()) return agent::RunScannerChild();
  if (install->parsed()) return agent::InstallCommand();
  if (stop->parsed()) return agent::StopCommand(agent::LoadConfig(flags, std::getenv));
  if (uninstall->parsed()) return agent::UninstallCommand();
  const absl::StatusOr<agent::AgentConfig> config = agent::LoadConfig(flags, std::getenv);
  if (!config.ok()) return Fail(kBadUsage, config.status());
  agent::SetUpLog(config->log_level);
  if (const absl::Status prepared = agent::PrepareRpc(); !prepared.ok()) return Fail(kRefused, prepared);
  if (start->parsed()) return agent::StartCommand(*config);
  if (enroll->parsed()) return agent::EnrollCommand(*config, joining);
  if (remove->parsed()) return agent::RemoveCommand(*config, check, release);
  if (unlock->parsed()) return agent::UnlockCommand(*config, unlocking);
  if (status->parsed()) return agent::StatusCommand(*config, output == "json");
  return agent::RunCommand(*config);
}
