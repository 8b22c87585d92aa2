// How fast this machine starts processes, and what the process sensor costs.
//   exec_storm N [TAG]             prints the seconds that N processes take, and their seconds of CPU time;
//   their
//                                  arguments are "storm", TAG (or "storm") and the number
//   exec_storm N ROUNDS SOURCE     interleaves rounds with and without the sensor (source "ebpf" or
//   "proc-connector")
//                                  and prints the medians of wall and CPU time, their ratios, and what was
//                                  seen and lost
#include "tests/support/exec_storm.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/process/process_sensor.h"
#include "platform/api/process_source.h"
#include "platform/api/system.h"
#include "tests/bench/statistics.h"

namespace {

class CountingSink final : public cordon::agent::EventSink {
 public:
  void Emit(cordon::v1::EventClass, int64_t, cordon::v1::Event event) override {
    if (event.has_process_started() && event.process_started().argv_size() == 3) ++started;
  }
  std::atomic<int> started = 0;
};

struct Round {
  double seconds = 0;
  double cpu_seconds = 0;  // with the sensor's
  int seen = 0;
  uint64_t lost = 0;
};

Round WithSensor(int count, const std::string& name) {
  CountingSink sink;
  const auto clock = cordon::platform::MakeSystemClock();
  const auto source = cordon::platform::MakeProcessSource(name);
  if (source == nullptr) {
    fmt::print(stderr, "exec_storm: no such source: {}\n", name);
    std::exit(2);
  }
  cordon::agent::ProcessSensor sensor(*source, sink, *clock, "host", "boot");
  if (const absl::Status started = sensor.Start(); !started.ok()) {
    fmt::print(stderr, "exec_storm: {}\n", std::string(started.message()));
    std::exit(1);
  }
  sensor.Prove();
  Round round;
  const double cpu_before = cordon::testing::OwnCpuSeconds();
  round.seconds = cordon::testing::RunExecStorm(count, "with").seconds;
  sensor.Stop();
  round.cpu_seconds = cordon::testing::OwnCpuSeconds() - cpu_before;
  round.seen = sink.started;
  round.lost = sensor.Lost();
  return round;
}

void PrintRatio(const char* what, const std::vector<double>& without, const std::vector<double>& with) {
  fmt::print("{} time: without {:.3f} s, with {:.3f} s, ratio {:.3f}\n", what,
             cordon::testing::Median(without), cordon::testing::Median(with),
             cordon::testing::Median(with) / cordon::testing::Median(without));
}

int Compare(int count, int rounds, const std::string& name) {
  std::vector<double> with;
  std::vector<double> without;
  std::vector<double> cpu_with;
  std::vector<double> cpu_without;
  int seen = 0;
  uint64_t lost = 0;
  cordon::testing::RunExecStorm(count / 4, "warm");
  for (int i = 0; i < rounds; ++i) {
    const cordon::testing::StormResult bare = cordon::testing::RunExecStorm(count, "without");
    without.push_back(bare.seconds);
    cpu_without.push_back(bare.cpu_seconds);
    const Round round = WithSensor(count, name);
    with.push_back(round.seconds);
    cpu_with.push_back(round.cpu_seconds);
    seen += round.seen;
    lost += round.lost;
  }
  fmt::print("{}, medians of {} rounds of {}: seen {} of {}, lost {}\n", name, rounds, count, seen,
             rounds * count, lost);
  PrintRatio("wall", without, with);
  PrintRatio("CPU", cpu_without, cpu_with);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 0;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 0;
  if (count <= 0 || argc > 4 || (argc == 4 && rounds <= 0)) {
    fmt::print(stderr, "usage: exec_storm N [TAG | ROUNDS SOURCE]\n");
    return 2;
  }
  if (argc == 4) return Compare(count, rounds, argv[3]);
  const cordon::testing::StormResult result =
      cordon::testing::RunExecStorm(count, argc == 3 ? argv[2] : "storm");
  fmt::print("{:.3f} {:.3f}\n", result.seconds, result.cpu_seconds);
  return result.failed == 0 ? 0 : 1;
}
