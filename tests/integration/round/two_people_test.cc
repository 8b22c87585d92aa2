// A second operator joins with the real programs, and from then on it takes both to darken a host (AUT-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kPort = 4444;
constexpr const char* kAlex = "operator.identity";
constexpr const char* kBlake = "blake.identity";

class TwoPeopleTest : public ::testing::Test {
 protected:
  TwoPeopleTest()
      : listener_(std::make_unique<Subprocess>(
            std::vector<std::string>{"python3", "-m", "http.server", std::to_string(kPort)},
            SubprocessOptions{.working_dir = fleet_.WatchedFolder(),
                              .net_namespace = fleet_.Peer().Name()})) {
    fleet_.Enroll();
    fleet_.StartAgent();
    EXPECT_TRUE(Eventually([&] { return Reaches(); }));
  }

  bool Reaches() const { return Fleet::Connects(fleet_.Host(), "10.77.0.66", kPort); }

  int Status(const std::string& who, std::vector<std::string> args) {
    last_ = fleet_.TryCtlAs(who, std::move(args));
    return last_.status;
  }
  std::string Said() const { return last_.output + last_.errors; }

  // Blake makes keys, alex adds them; two for dark from now on.
  void AddBlake() {
    const std::string request = fleet_.Folder("blake.request").string();
    const std::string welcome = fleet_.Folder("blake.welcome").string();
    ASSERT_EQ(Status(kBlake, {"operator", "request", "--name", "blake", "--out", request, "--no-passphrase"}),
              0)
        << Said();
    ASSERT_EQ(Status(kAlex, {"operator", "add", request, "--role", "isolate,trust", "--threshold",
                             "isolate-hard=2", "--out", welcome, "--reason", "a second person", "--yes"}),
              0)
        << Said();
    ASSERT_EQ(Status(kBlake, {"operator", "accept", welcome, "--yes"}), 0) << Said();
    ASSERT_EQ(Status(kBlake, {"hosts"}), 0) << Said();
  }
  // Its id.
  std::string ProposeDark() {
    const std::string name(fleet_.CtlJson({"hosts"}).at(0).at("host").as_string());
    EXPECT_EQ(Status(kAlex, {"-o", "json", "isolate", name, "--level", "dark", "--fallback", "hold",
                             "--reason", "a drill"}),
              4)
        << Said();
    return std::string(boost::json::parse(last_.output).at("order_id").as_string());
  }

  Fleet fleet_;
  std::unique_ptr<Subprocess> listener_;
  CommandResult last_;
};

TEST_F(TwoPeopleTest, AUT3_OneSignatureDoesNothingTwoDarkenTheHost) {
  AddBlake();
  const std::string withdrawn = ProposeDark();
  ASSERT_EQ(Status(kBlake, {"orders", "withdraw", withdrawn, "--reason", "a false alarm"}), 0) << Said();
  EXPECT_EQ(Status(kBlake, {"orders", "approve", withdrawn, "--yes"}), 1);
  EXPECT_THAT(Said(), HasSubstr("withdrawn"));

  const std::string id = ProposeDark();
  EXPECT_EQ(Status(kAlex, {"orders", "approve", id, "--yes"}), 1) << "the same operator twice";
  EXPECT_THAT(Said(), HasSubstr("signed it already"));
  EXPECT_FALSE(Eventually([&] { return !Reaches(); }, std::chrono::seconds(3)))
      << "one signature does nothing";
  fleet_.KillController();
  fleet_.StartController();
  ASSERT_EQ(Status(kBlake, {"orders", "approve", id, "--yes"}), 0) << Said();
  EXPECT_TRUE(Eventually([&] { return !Reaches(); })) << "the second one darkens it";
  ASSERT_EQ(Status(kAlex, {"audit", "verify"}), 0) << Said();
}

}  // namespace
}  // namespace cordon::testing
