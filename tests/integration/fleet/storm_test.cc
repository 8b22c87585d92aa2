// A storm of programs, from fork to the controller's store, with the real programs.

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "common/base/strings.h"
#include "tests/support/exec_storm.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

constexpr const char* kTag = "storm-to-the-controller";

// What the controller has of the storm.
struct Seen {
  std::set<int> starts;  // by the program's last argument
  int repeats = 0;
  uint64_t lost = 0;  // counts of the gaps in process events
};

// The text between `before` and the next `after` in `line`; empty when it is not there.
std::string Between(const std::string& line, const std::string& before, char after) {
  const size_t at = line.find(before);
  if (at == std::string::npos) return "";
  const size_t begin = at + before.size();
  return line.substr(begin, line.find(after, begin) - begin);
}

Seen AskController(Fleet& fleet) {
  Seen seen;
  std::istringstream lines(
      fleet.Ctl({"-o", "json", "events", "--class", "process", "--class", "control", "--since", "30m"}));
  const std::string argv = StrCat("\"argv\":[\"storm\",\"", kTag, "\",\"");
  for (std::string line; std::getline(lines, line);) {
    const std::string number = Between(line, argv, '"');
    if (!number.empty() && !seen.starts.insert(std::stoi(number)).second) ++seen.repeats;
    if (line.find("\"kind\":\"gap\"") == std::string::npos) continue;
    if (line.find("\"event_class\":\"process\"") == std::string::npos) continue;
    const std::string count = Between(line, "\"count\":", ',');
    if (!count.empty()) seen.lost += std::stoull(count);
  }
  return seen;
}

TEST(Storm, TEL1_TwentyThousandProgramsArriveOrTheGapsSayHowManyDidNot) {
  constexpr int kCount = 20'000;
  Fleet fleet;
  // Two cores stay below the limit from which bursts are folded; many may not.
  std::ofstream(fleet.Folder("agent.toml"), std::ios::app) << "[process]\nfold_bursts = 0\n";
  fleet.Enroll();
  fleet.StartAgent();
  ASSERT_EQ(RunExecStorm(kCount, kTag).failed, 0);
  Seen seen;
  EXPECT_TRUE(Eventually(
      [&] {
        seen = AskController(fleet);
        return seen.starts.size() + seen.lost >= kCount;
      },
      std::chrono::seconds(120)))
      << seen.starts.size() << " starts and " << seen.lost << " lost";
  EXPECT_EQ(seen.repeats, 0);
  if (!seen.starts.empty()) {
    EXPECT_GE(*seen.starts.begin(), 0);
    EXPECT_LT(*seen.starts.rbegin(), kCount);
  }
  EXPECT_TRUE(seen.lost > 0 || seen.starts.size() == kCount) << seen.starts.size();
  RecordProperty("starts", static_cast<int>(seen.starts.size()));
  RecordProperty("lost", static_cast<int>(seen.lost));
}

}  // namespace
}  // namespace cordon::testing
