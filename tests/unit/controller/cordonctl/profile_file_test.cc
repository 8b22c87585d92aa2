#include "controller/cordonctl/profile_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <ostream>
#include <sstream>

#include "common/base/status.h"
#include "tests/support/build_paths.h"

namespace cordon::ctl {
namespace {

struct BadFile {
  std::string_view text;
  std::string_view error;
};

std::ostream& operator<<(std::ostream& out, const BadFile& bad) {
  return out << bad.error;
}

class BadProfile : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadProfile, IsRefusedWithFileAndLine) {
  const absl::StatusOr<v1::Profile> profile = ParseProfile(GetParam().text, "clinic.toml");
  ASSERT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(profile.status())), ::testing::StartsWith(std::string(GetParam().error)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadProfile,
    ::testing::Values(
        BadFile{"name = ", "clinic.toml:1: "}, BadFile{"\xff\xfe", "clinic.toml:1: "},
        BadFile{"name = 5", "clinic.toml:1: name: must be text"},
        BadFile{"", "clinic.toml:1: profile: the name"},
        BadFile{"name = \"a\"\nallowed = []", "clinic.toml:2: 'allowed' is not known here"},
        BadFile{"name = \"a\"\nallow = 5", "clinic.toml:2: allow: write each rule"},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"up\"",
                "clinic.toml:3: direction: 'up' is not out, in or both"},
        BadFile{"name = \"a\"\n[[allow]]\nprotocol = \"tcp\"", "clinic.toml:2: direction: missing"},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"sctp\"",
                "clinic.toml:4: protocol: 'sctp'"},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"",
                "clinic.toml:2: networks: missing"},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\nport = [1]",
                "clinic.toml:5: 'port' is not known here"},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\nnetworks = \"10.0.0.1\"",
                "clinic.toml:5: networks: must be a list"},
        BadFile{
            "name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\nnetworks = [\"10.0.0.1/8\"]",
            "clinic.toml:2: networks: "},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\nnetworks = "
                "[\"10.0.0.1\"]\nports = [\n0]",
                "clinic.toml:7: ports: "},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\nnetworks = "
                "[\"10.0.0.1\"]\nports = [\"9-\"]",
                "clinic.toml:6: ports: "},
        BadFile{"name = \"a\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\nnetworks = "
                "[\"10.0.0.1\"]\nprogram = { path = "
                "\"/bin/x\", sha256 = \"xyz\" }",
                "clinic.toml:6: program: sha256: "}));

TEST(Profile, OfTheExamplesIsGood) {
  std::ifstream file(StrCat(testing::kSourceDir, "/docs/examples/clinic.toml"));
  std::ostringstream text;
  text << file.rdbuf();
  const absl::StatusOr<v1::Profile> profile = ParseProfile(text.str(), "clinic.toml");
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->name(), "clinic");
  ASSERT_EQ(profile->allow_size(), 8);
  EXPECT_EQ(profile->allow(0).networks(1), "fd20::10");
  EXPECT_EQ(profile->allow(0).ports(1).first(), 8080U);
  EXPECT_EQ(profile->allow(3).direction(), v1::DIRECTION_IN);
  EXPECT_EQ(profile->allow(5).ports(0).last(), 32'767U);
  EXPECT_EQ(profile->allow(7).protocol(), v1::TRANSPORT_PROTOCOL_ICMP);
}

}  // namespace
}  // namespace cordon::ctl
