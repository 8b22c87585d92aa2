// Every event reaches the controller once, whatever dies on the way (TEL-1, TEL-2).

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

// Runs /bin/true with arguments PREFIX-1 … PREFIX-COUNT, one process each, and a pause every `batch` of them.
std::string Load(const std::string& prefix, int count, int batch) {
  return StrCat("for i in $(seq 1 ", count, "); do /bin/true ", prefix, "-$i; [ $((i % ", batch,
                ")) -ne 0 ] || sleep 0.2; done");
}

// How often each argument that begins with `prefix` stands in the stored process events.
std::map<std::string, int> Stored(Fleet& fleet, const std::string& prefix) {
  std::map<std::string, int> counts;
  std::istringstream lines(fleet.Ctl({"-o", "json", "events", "--class", "process", "--since", "1h"}));
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(StrCat("\"", prefix, "-"));
    if (at == std::string::npos || line.find("\"process_started\"") == std::string::npos) continue;
    const size_t end = line.find('"', at + 1);
    ++counts[line.substr(at + 1, end - at - 1)];
  }
  return counts;
}

TEST(Delivery, EveryEventIsStoredOnceWhileTheControllerIsKilledUnderLoad) {
  constexpr int kProcesses = 2000;
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  Subprocess load({"bash", "-c", Load("under-load", kProcesses, 100)},
                  {.net_namespace = fleet.Host().Name()});
  for (int kill = 0; kill < 4; ++kill) {
    fleet.KillController();
    fleet.StartController();
    std::this_thread::sleep_for(std::chrono::milliseconds(700));  // some of the load is delivered in between
  }
  ASSERT_EQ(load.Wait(std::chrono::seconds(120)), 0);
  std::map<std::string, int> stored;
  EXPECT_TRUE(Eventually(
      [&] {
        stored = Stored(fleet, "under-load");
        return stored.size() == kProcesses;
      },
      std::chrono::seconds(60)))
      << stored.size() << " of " << kProcesses;
  for (const auto& [argument, count] : stored) EXPECT_EQ(count, 1) << argument;
}

TEST(Delivery, WhatHappenedWithoutAControllerArrivesWhenItReturns) {
  constexpr int kProcesses = 200;
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  fleet.KillController();
  ASSERT_EQ(
      RunCommand({"bash", "-c", Load("alone", kProcesses, 1000)}, {.net_namespace = fleet.Host().Name()})
          .status,
      0);
  fleet.StartController();
  EXPECT_TRUE(
      Eventually([&] { return Stored(fleet, "alone").size() == kProcesses; }, std::chrono::seconds(90)));
}

TEST(Delivery, AKilledAgentLeavesAGapThatSaysSo) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  fleet.KillAgent();
  fleet.StartAgent();
  EXPECT_TRUE(Eventually([&] {
    return fleet.Ctl({"-o", "json", "events", "--class", "control", "--since", "1h"})
               .find("agent-stopped-uncleanly") != std::string::npos;
  }));
}

}  // namespace
}  // namespace cordon::testing
