#include "controller/pki/fleet_file.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "common/base/strings.h"
#include "tests/support/status_matchers.h"

namespace cordon::controller {
namespace {

using testing::Fails;
using testing::IsOk;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr const char* kFleet = "b6a7c1de-0000-4000-8000-000000000000";

PkiOptions Good() {
  return {kFleet, StrCat(kFleet, ".cordon"), {"cordon.vets.example", "192.0.2.7", "2001:db8::7"}};
}

absl::Status CheckAfter(const std::function<void(PkiOptions&)>& spoil) {
  PkiOptions options = Good();
  spoil(options);
  return CheckPkiOptions(options);
}

TEST(PkiOptions, NameTheFieldThatIsWrong) {
  EXPECT_THAT(CheckPkiOptions(Good()), IsOk());  // the positive control
  EXPECT_THAT(CheckAfter([](auto& o) { o.fleet_id = "leeds"; }), Fails(kInvalid, "fleet_id"));
  EXPECT_THAT(CheckAfter([](auto& o) { o.organisation = "Vets/Leeds"; }), Fails(kInvalid, "organisation"));
  EXPECT_THAT(CheckAfter([](auto& o) { o.organisation.clear(); }), Fails(kInvalid, "organisation"));
  EXPECT_THAT(CheckAfter([](auto& o) { o.names.clear(); }), Fails(kInvalid, "1 to 16 names"));
  EXPECT_THAT(CheckAfter([](auto& o) { o.names.assign(17, "a.example"); }), Fails(kInvalid, "1 to 16 names"));
}

TEST(PkiOptions, ANameIsADnsNameInLowerCaseOrAnAddress) {
  for (const char* bad : {"", "Cordon.example", "a b", "-a.example", ".example", "a_b", "a\"b", "a\nb",
                          "a:8443", "*.example"}) {
    EXPECT_THAT(CheckAfter([&](auto& o) { o.names = {bad}; }), Fails(kInvalid, "neither a DNS name")) << bad;
  }
  EXPECT_FALSE(CheckAfter([](auto& o) { o.names = {std::string(254, 'a')}; }).ok());
  for (const char* good : {"a", "a-b.example", "10.0.0.1", "::1"}) {
    EXPECT_THAT(CheckAfter([&](auto& o) { o.names = {good}; }), IsOk()) << good;
  }
}

TEST(FleetFile, ComesBackAsItWasWritten) {
  const absl::StatusOr<PkiOptions> read = ParseFleetFile(FormatFleetFile(Good()));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->fleet_id, Good().fleet_id);
  EXPECT_EQ(read->organisation, Good().organisation);
  EXPECT_EQ(read->names, Good().names);
}

TEST(FleetFile, DamageIsNamed) {
  EXPECT_THAT(ParseFleetFile("fleet_id = \n"), Fails(kInvalid, "line 1"));
  EXPECT_THAT(ParseFleetFile(""), Fails(kInvalid, "fleet_id"));
  EXPECT_THAT(ParseFleetFile("fleet_id = 7\n"), Fails(kInvalid, "fleet_id"));
  const std::string good = FormatFleetFile(Good());
  EXPECT_FALSE(ParseFleetFile(good.substr(0, good.size() / 2)).ok());
  EXPECT_THAT(
      ParseFleetFile(StrCat("fleet_id = \"", kFleet, "\"\norganisation = \"x.cordon\"\nnames = [1]\n")),
      Fails(kInvalid, "neither a DNS name"));
}

}  // namespace
}  // namespace cordon::controller
