#include "controller/cordonctl/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "platform/api/files.h"
#include "tests/support/build_paths.h"

namespace cordon::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

absl::StatusOr<v1::Profile> NoProfile(const std::string& file_name) {
  return absl::InvalidArgumentError("no file " + file_name);
}

struct BadFile {
  std::string_view text;
  std::string_view error;
};

std::ostream& operator<<(std::ostream& out, const BadFile& bad) {
  return out << bad.error;
}

class BadPolicy : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadPolicy, IsRefusedWithFileAndLine) {
  const absl::StatusOr<v1::Policy> policy = ParsePolicy(GetParam().text, "policy.toml", NoProfile);
  ASSERT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(policy.status())), StartsWith(std::string(GetParam().error)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPolicy,
    ::testing::Values(
        BadFile{"watch = ", "policy.toml:1: "}, BadFile{"", "policy.toml:1: watch: missing"},
        BadFile{"wach = [\"/etc\"]", "policy.toml:1: 'wach' is not known here"},
        BadFile{"watch = \"/etc\"", "policy.toml:1: watch: must be a list"},
        BadFile{"watch = [\"etc\"]", "policy.toml: watched_paths"},
        BadFile{"watch = [\"/etc\"]\nversion = -1", "policy.toml:2: version: must be a number"},
        BadFile{"watch = [\"/etc\"]\ntripwires = true", "policy.toml:2: tripwires: must be a table"},
        BadFile{"watch = [\"/etc\"]\n[tripwires]\nenabled = \"yes\"",
                "policy.toml:3: enabled: must be true or false"},
        BadFile{"watch = [\"/etc\"]\n[tripwires]\nfiles = 1001",
                "policy.toml:3: files: must be a number from 0 to 1000"},
        BadFile{"watch = [\"/etc\"]\n[tripwires]\nwindow = \"soon\"", "policy.toml:3: window: "},
        BadFile{"watch = [\"/etc\"]\n[tripwires.isolate]\nlevel = \"dark\"\nfor = \"1h\"",
                "policy.toml:3: level: 'dark'"},
        BadFile{"watch = [\"/etc\"]\n[tripwires.isolate]\nlevel = \"observe\"\nfor = \"1h\"",
                "policy.toml: tripwires: isolate.level"},
        BadFile{"watch = [\"/etc\"]\n[tripwires.isolate]\nlevel = \"essential\"",
                "policy.toml:2: for: missing"},
        BadFile{"watch = [\"/etc\"]\n[tripwires.isolate]\nlevel = \"essential\"\nfor = \"25h\"",
                "policy.toml: tripwires: isolate.lease"},
        BadFile{"watch = [\"/etc\"]\n[tripwires.isolate]\nlevel = \"essential\"\nfor = \"1h\"\nprofile = "
                "\"x.toml\"",
                "no file x.toml"}));

TEST(PolicyFile, TheExampleSaysAllThatCanBeSaid) {
  const std::filesystem::path example =
      std::filesystem::path(testing::kSourceDir) / "docs/examples/policy.toml";
  const auto text = platform::ReadFileBounded(example, kMaxPolicyFileBytes);
  ASSERT_TRUE(text.ok()) << text.status();
  const auto policy =
      ParsePolicy(*text, "policy.toml", [](const std::string& name) -> absl::StatusOr<v1::Profile> {
        EXPECT_EQ(name, "clinic.toml");
        v1::Profile profile;
        profile.set_name("clinic");
        return profile;
      });
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->version(), 1U);
  EXPECT_THAT(policy->sensitive_paths(), ElementsAre("/srv/practice/clients"));
  EXPECT_FALSE(policy->tripwires().off());
  EXPECT_EQ(policy->tripwires().files(), 8U);
  EXPECT_EQ(policy->tripwires().window_nanos(), 10 * kNanosPerSecond);
  EXPECT_EQ(policy->tripwires().isolate().level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(policy->tripwires().isolate().lease().length().seconds(), 4 * 3600);
  EXPECT_EQ(policy->tripwires().isolate().profile().name(), "clinic");
}

TEST(PolicyFile, WithoutATableTripwiresAreOnAndTellOnly) {
  const auto policy = ParsePolicy("watch = [\"/etc\"]", "policy.toml", NoProfile);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_FALSE(policy->tripwires().off());
  EXPECT_FALSE(policy->tripwires().has_isolate());
}

}  // namespace
}  // namespace cordon::ctl
