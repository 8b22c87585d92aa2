// Events leave as OCSF, with the real programs: `cordon-controller serve --export file:…` and `cordonctl
// events -o ocsf`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using boost::json::object;

class ExportRound : public ::testing::Test {
 protected:
  // Every line is an object of its own; by what tells repeats apart.
  static std::map<std::string, object> Lines(std::istream& text) {
    std::map<std::string, object> lines;
    for (std::string line; std::getline(text, line) && !text.eof();) {  // the last one may not be whole yet
      object parsed = boost::json::parse(line).as_object();
      const object& metadata = parsed.at("metadata").as_object();
      EXPECT_EQ(metadata.at("version"), "1.8.0");
      const std::string uid(metadata.at("uid").as_string());
      EXPECT_TRUE(lines.emplace(uid, std::move(parsed)).second) << uid << " stands there twice";
    }
    return lines;
  }
  static bool IsOf(const object& line, int class_uid, const std::string& text) {
    return line.at("class_uid").to_number<int>() == class_uid &&
           boost::json::serialize(line).find(text) != std::string::npos;
  }
  static bool Has(const std::map<std::string, object>& lines, int class_uid, const std::string& text) {
    return std::ranges::any_of(lines, [&](const auto& line) { return IsOf(line.second, class_uid, text); });
  }
  void HappenOnTheHost() {
    fleet_.Host().Run({"sh", "-c", "echo patient > " + (fleet_.WatchedFolder() / "record.txt").string()});
  }

  static constexpr int kFileActivity = 1001;
  static constexpr int kProcessActivity = 1007;
  Fleet fleet_;
};

TEST_F(ExportRound, TheToolPrintsEventsAsOcsf) {
  fleet_.Enroll();
  fleet_.StartAgent();
  HappenOnTheHost();
  std::map<std::string, object> lines;
  EXPECT_TRUE(Eventually([&] {
    std::istringstream text(fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m"}));
    lines = Lines(text);
    return Has(lines, kFileActivity, "/record.txt") && Has(lines, kProcessActivity, "echo patient");
  }));
  std::istringstream files(fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m", "--class", "file"}));
  for (const auto& [uid, line] : Lines(files))
    EXPECT_EQ(line.at("class_uid").to_number<int>(), kFileActivity);
}

TEST_F(ExportRound, TheControllerAppendsEachEventToAFileOnceAlsoThroughARestart) {
  const std::filesystem::path file = fleet_.Folder("cordon.ocsf");
  const std::vector<std::string> exporting = {"sh", "-c", StrCat("exec \"$@\" --export file:", file.string()),
                                              "sh"};
  const auto exported = [&] {
    std::ifstream text(file);
    return Lines(text);
  };
  EXPECT_EQ(fleet_.Controller().Running(), true);
  fleet_.Controller().Signal(SIGTERM);
  ASSERT_EQ(fleet_.Controller().Wait(), 0);
  fleet_.StartController(exporting);
  fleet_.Enroll();
  fleet_.StartAgent();
  HappenOnTheHost();
  EXPECT_TRUE(Eventually([&] {
    const auto lines = exported();
    return Has(lines, kFileActivity, "/record.txt") && Has(lines, kProcessActivity, "echo patient");
  }));
  fleet_.Controller().Signal(SIGTERM);
  ASSERT_EQ(fleet_.Controller().Wait(), 0);
  fleet_.Host().Run({"touch", (fleet_.WatchedFolder() / "later.txt").string()});
  fleet_.StartController(exporting);
  EXPECT_TRUE(Eventually([&] { return Has(exported(), kFileActivity, "/later.txt"); }));
  // Both ways say the same.
  std::istringstream text(fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m", "--class", "file"}));
  const std::map<std::string, object> in_file = exported();
  for (const auto& [uid, line] : Lines(text)) {
    ASSERT_TRUE(in_file.contains(uid)) << uid;
    EXPECT_EQ(in_file.at(uid), line);
  }
}

}  // namespace
}  // namespace cordon::testing
