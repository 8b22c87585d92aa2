#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/keeper/keeper.h"
#include "common/base/status.h"
#include "platform/api/system.h"

int main(int argc, char** argv) {
  using namespace cordon;  // NOLINT: main speaks of nothing else
  CLI::App app(
      "Keeps Cordon's saved isolation in force while no agent runs; started by cordon-isolation.service");
  std::string state_dir = "/var/lib/cordon";
  bool once = false;
  app.add_option("--state", state_dir, "The agent's state folder (default /var/lib/cordon)")
      ->envname("CORDON_STATE_DIR");
  app.add_flag("--once", once, "Put the saved isolation in force and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("cordon-keeper"));
  spdlog::set_pattern(std::getenv("JOURNAL_STREAM") != nullptr ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%eZ %l: %v",
                      spdlog::pattern_time_type::utc);

  const std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  agent::Keeper keeper(state_dir, platform::ReadSystemFacts().boot_id, *clock);
  const auto stop_watcher = platform::OnStopRequest([&keeper] { keeper.Stop(); });
  const absl::Status ended = once ? keeper.Restore() : keeper.Run(platform::NotifyServiceReady);
  if (ended.ok()) return 0;
  fmt::print(stderr, "cordon-keeper: {}\n", Message(ended));
  return 1;
}
