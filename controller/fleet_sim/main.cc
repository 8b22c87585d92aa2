#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/rpc/tls.h"
#include "common/wire/enrollment_file.h"
#include "controller/fleet_sim/fleet.h"
#include "platform/api/files.h"
#include "platform/api/system.h"

namespace {

using namespace cordon;  // NOLINT: main speaks of nothing else

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;
constexpr auto kBeatInterval = std::chrono::seconds(10);
constexpr uint32_t kHostsPerSecond = 50;  // that connect, at the least
constexpr auto kTick = std::chrono::milliseconds(200);

int Fail(const absl::Status& why) {
  fmt::print(stderr, "cordon-fleet-sim: {}\n", Message(why));
  return kFailed;
}

void Say(std::string_view what, const fleet_sim::Counters& seen) {
  fmt::print("{}: {} connected, {} ended, {} orders, {} health polls, {} heartbeats\n", what,
             seen.connected.load(), seen.ended.load(), seen.orders.load(), seen.polls.load(),
             seen.beats.load());
  std::fflush(stdout);
}

absl::Status Simulate(const std::string& path, const fleet_sim::FleetOptions& options, int seconds,
                      const std::atomic<bool>& stop) {
  CORDON_ASSIGN_OR_RETURN(const std::string text, platform::ReadFileBounded(path, kMaxEnrollmentFileBytes));
  CORDON_ASSIGN_OR_RETURN(const v1::EnrollmentFile file, ReadEnrollmentFile(text));
  CORDON_ASSIGN_OR_RETURN(const auto fleet, fleet_sim::Fleet::Enroll(file, options));
  CORDON_RETURN_IF_ERROR(fleet->Connect(std::chrono::seconds(60 + options.hosts / kHostsPerSecond)));
  Say("ready", fleet->Seen());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  auto next_beat = std::chrono::steady_clock::now();
  while (!stop && (seconds == 0 || std::chrono::steady_clock::now() < end)) {
    if (std::chrono::steady_clock::now() >= next_beat) {
      fleet->Beat();
      next_beat += kBeatInterval;
    }
    std::this_thread::sleep_for(kTick);
  }
  Say("end", fleet->Seen());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Virtual agents for tests and benchmarks. They enforce nothing and say so; never installed");
  std::string file;
  fleet_sim::FleetOptions options;
  int seconds = 0;
  app.add_option("FILE", file, "Enrolment file with enough uses")->required();
  app.add_option("--hosts", options.hosts, "How many")->check(CLI::Range(1U, 100'000U));
  app.add_option("--prefix", options.name_prefix, "Names are PREFIX-1, PREFIX-2, …");
  app.add_option("--seconds", seconds, "How long (else until told to stop)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  if (const absl::Status status = RequireTls13(); !status.ok()) return Fail(status);
  std::atomic<bool> stop = false;
  const auto watching = platform::OnStopRequest([&stop] { stop = true; });
  if (const absl::Status status = Simulate(file, options, seconds, stop); !status.ok()) return Fail(status);
  return 0;
}
