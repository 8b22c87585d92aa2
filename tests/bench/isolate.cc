// What it takes to change what a host may do, and what passes and fails to pass meanwhile: Cordon beside the
// two ways that people use today, in namespaces of its own. Needs root.
//   isolate [CHANGES]     CHANGES by Cordon per profile size (default 200); one JSON object per line:
//   {"way":…,"entries":…,"changes":…,"p50_ms":…,"p99_ms":…,"max_ms":…}                            on a still
//   network
//   {"way":…,"entries":…,"repairs":…,"p50_ms":…,"p99_ms":…,"max_ms":…}     after somebody's edit; by a
//   script: time from the edit's end to rules that are right again, looked for without a pause
//   {"way":…,"entries":…,"changes":…,"sent":…,"lost":…,"forbidden":…,"leaked":…,"overflowed":…}   under the
//   pump
// The way "none" is the control: the pump under rules that do not change.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "tests/bench/isolation_repair.h"
#include "tests/bench/isolation_ways.h"
#include "tests/bench/packet_pump.h"
#include "tests/bench/statistics.h"

namespace {

using namespace cordon::testing;  // NOLINT: a program of the bench speaks of nothing else

struct Place {
  Place() {
    ConnectByVeth({host, "up0", {"10.9.0.1/24"}}, {peer, "eth0", {"10.9.0.2/24"}});
    // The pump must not pay for, or fail by, a neighbour that is asked for anew.
    host.Ip("neigh replace 10.9.0.2 lladdr " + Mac(peer, "eth0") + " dev up0 nud permanent");
    peer.Ip("neigh replace 10.9.0.1 lladdr " + Mac(host, "up0") + " dev eth0 nud permanent");
  }
  static std::string Mac(const NetNamespace& inside, const std::string& interface) {
    std::string text = inside.Ip("-o link show dev " + interface);
    text = text.substr(text.find("link/ether ") + 11);
    return text.substr(0, text.find(' '));
  }
  NetNamespace host{"host"};
  NetNamespace peer{"peer"};
};

// Orders do not come back to back: the kernel has thrown away by then what the change before has left.
constexpr std::chrono::milliseconds kBetweenChanges(50);

using MakeWay = std::function<std::unique_ptr<Way>(const NetNamespace&)>;
using MakeRepairer = std::function<std::unique_ptr<Repairer>(const NetNamespace&, int entries)>;

void Tell(const std::string& way, int entries, const char* what, const std::vector<double>& seconds) {
  fmt::print(R"({{"way":"{}","entries":{},"{}":{},"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f}}})"
             "\n",
             way, entries, what, seconds.size(), At(seconds, 0.5) * 1e3, At(seconds, 0.99) * 1e3,
             At(seconds, 1) * 1e3);
  std::fflush(stdout);
}

void Latency(const Place& place, const MakeWay& make, int entries, int changes) {
  const auto way = make(place.host);
  std::vector<double> seconds;
  way->Change({.entries = entries, .second = true});  // warm, and from nothing
  for (int at = 0; at < changes; ++at) {
    std::this_thread::sleep_for(kBetweenChanges);
    seconds.push_back(way->Change({.entries = entries, .second = at % 2 != 0}));
  }
  Tell(way->Name(), entries, "changes", seconds);
}

void Repairs(const Place& place, const MakeRepairer& make, int entries, int edits) {
  const auto repairer = make(place.host, entries);
  repairer->EditAndAwaitRepair();  // warm
  std::vector<double> seconds;
  for (int at = 0; at < edits; ++at) seconds.push_back(repairer->EditAndAwaitRepair());
  Tell(repairer->Name(), entries, "repairs", seconds);
}

void Tell(const std::string& way, int entries, int changes, const PumpCounts& counts) {
  fmt::print(R"({{"way":"{}","entries":{},"changes":{},"sent":{},"lost":{},"forbidden":{},"leaked":{},)"
             R"("overflowed":{}}})"
             "\n",
             way, entries, changes, counts.sent, counts.lost, counts.forbidden, counts.leaked,
             counts.overflowed);
  std::fflush(stdout);
}

void Packets(const Place& place, const MakeWay& make, int entries, int changes) {
  const auto way = make(place.host);
  way->Change({.entries = entries, .second = true});
  PacketPump pump({place.host, "10.9.0.1"}, {place.peer, "10.9.0.2"});
  for (int at = 0; at < changes; ++at) way->Change({.entries = entries, .second = at % 2 != 0});
  Tell(way->Name(), entries, changes, pump.Stop());
}

// What the pump itself loses and leaks: nothing, else its other figures mean nothing.
void Control(const Place& place) {
  const auto way = MakeScriptWay(place.host);
  way->Change({.entries = 10, .second = false});
  PacketPump pump({place.host, "10.9.0.1"}, {place.peer, "10.9.0.2"});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  Tell("none", 10, 0, pump.Stop());
}

void Run(int changes) {
  const Place place;
  const auto few = [changes](int divisor) { return std::max(2, changes / divisor); };
  for (const int entries : {10, 1'000, 10'000}) {
    Latency(place, MakeCordonWay, entries, entries > 1'000 ? few(4) : changes);
    Latency(place, MakeScriptWay, entries, few(4));
  }
  Latency(place, MakeCommandsWay, 10, few(10));
  Latency(place, MakeCommandsWay, 1'000, 2);
  for (const int entries : {10, 1'000}) {
    Repairs(place, MakeCordonRepairer, entries, changes);
    Repairs(place, MakeScriptRepairer, entries, few(4));
    Repairs(place, MakeCommandsRepairer, entries, entries > 10 ? 2 : few(10));
  }
  Control(place);
  Packets(place, MakeCordonWay, 10, changes);
  Packets(place, MakeCordonWay, 1'000, few(2));
  Packets(place, MakeScriptWay, 10, changes);
  Packets(place, MakeScriptWay, 1'000, few(2));
  Packets(place, MakeCommandsWay, 10, few(10));
}

}  // namespace

int main(int argc, char** argv) {
  const int changes = argc > 1 ? std::atoi(argv[1]) : 200;
  if (changes <= 0 || argc > 2) {
    fmt::print(stderr, "usage: isolate [CHANGES]\n");
    return 2;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("bench"));  // the figures alone are on the output
  spdlog::set_level(spdlog::level::warn);
  try {
    Run(changes);
  } catch (const std::exception& error) {
    fmt::print(stderr, "isolate: {}\n", error.what());
    return 1;
  }
  return 0;
}
