#include "common/wire/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "common/base/status.h"

namespace cordon {
namespace {

v1::Profile GoodProfile() {
  v1::Profile profile;
  profile.set_name("clinic");
  v1::AllowRule* rule = profile.add_allow();
  rule->set_comment("practice system");
  rule->set_direction(v1::DIRECTION_OUT);
  rule->set_protocol(v1::TRANSPORT_PROTOCOL_TCP);
  rule->add_networks("10.77.0.20");
  rule->add_networks("fd77::/64");
  rule->add_names("*.cloud.example.vet");
  v1::PortRange* ports = rule->add_ports();
  ports->set_first(8080);
  ports->set_last(8080);
  return profile;
}

struct BadField {
  std::string_view error;
  std::function<void(v1::AllowRule&)> change;
};

std::ostream& operator<<(std::ostream& out, const BadField& bad) {
  return out << bad.error;
}

class ProfileField : public ::testing::TestWithParam<BadField> {};

TEST_P(ProfileField, OutOfBoundsIsNamedWithItsRule) {
  v1::Profile profile = GoodProfile();
  *profile.add_allow() = profile.allow(0);
  ASSERT_TRUE(CheckProfile(profile).ok());
  GetParam().change(*profile.mutable_allow(1));
  const absl::Status status = CheckProfile(profile);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)), ::testing::StartsWith("profile 'clinic': rule 2: "));
  EXPECT_THAT(std::string(Message(status)), ::testing::HasSubstr(std::string(GetParam().error)));
}

INSTANTIATE_TEST_SUITE_P(
    AllFields, ProfileField,
    ::testing::Values(
        BadField{"comment: ", [](auto& rule) { rule.set_comment("a\nb"); }},
        BadField{"comment: ", [](auto& rule) { rule.set_comment(std::string(201, 'x')); }},
        BadField{"direction: ", [](auto& rule) { rule.clear_direction(); }},
        BadField{"direction: ", [](auto& rule) { rule.set_direction(static_cast<v1::Direction>(9)); }},
        BadField{"protocol: ", [](auto& rule) { rule.clear_protocol(); }},
        BadField{"protocol: ", [](auto& rule) { rule.set_protocol(static_cast<v1::TransportProtocol>(9)); }},
        BadField{"networks: missing",
                 [](auto& rule) {
                   rule.clear_networks();
                   rule.clear_names();
                 }},
        BadField{"networks: ", [](auto& rule) { rule.add_networks("10.0.0.1/8"); }},
        BadField{"networks: ", [](auto& rule) { rule.add_networks(""); }},
        BadField{"networks: 258 entries, at most 256",
                 [](auto& rule) {
                   for (int i = 0; i < 256; ++i) rule.add_networks("10.0.0.1");
                 }},
        BadField{"names: ", [](auto& rule) { rule.add_names("*.com"); }},
        BadField{"names: ", [](auto& rule) { rule.add_names("a.*.example.vet"); }},
        BadField{"names: ", [](auto& rule) { rule.add_names("PMS.example.vet"); }},
        BadField{"names: ", [](auto& rule) { rule.add_names(std::string(254, 'a')); }},
        BadField{
            "ports: 0-80",
            [](auto& rule) { rule.mutable_ports(0)->set_first(0), rule.mutable_ports(0)->set_last(80); }},
        BadField{"ports: 8080-8079", [](auto& rule) { rule.mutable_ports(0)->set_last(8079); }},
        BadField{"ports: 8080-65536", [](auto& rule) { rule.mutable_ports(0)->set_last(65'536); }},
        BadField{"ports: ICMP has none", [](auto& rule) { rule.set_protocol(v1::TRANSPORT_PROTOCOL_ICMP); }},
        BadField{"program: ", [](auto& rule) { rule.mutable_program()->set_path("bin/viewer"); }},
        BadField{"program: the SHA-256", [](auto& rule) {
                   rule.mutable_program()->set_path("C:\\viewer.exe");
                   rule.mutable_program()->set_sha256("short");
                 }}));

TEST(Profile, NeedsANameAndMayHaveNoRules) {
  v1::Profile profile;
  EXPECT_FALSE(CheckProfile(profile).ok());
  profile.set_name("nothing");
  EXPECT_TRUE(CheckProfile(profile).ok());
  profile.set_name("No Such");
  EXPECT_FALSE(CheckProfile(profile).ok());
}

}  // namespace
}  // namespace cordon
