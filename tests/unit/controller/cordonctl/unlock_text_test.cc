#include "controller/cordonctl/unlock_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/uuid.h"
#include "controller/cordonctl/key_sheet.h"
#include "tests/support/status_matchers.h"

namespace cordon::ctl {
namespace {

using testing::Fails;
using ::testing::HasSubstr;
using testing::IsOk;

v1::Host HostCalled(const std::string& name, const std::string& site, char key) {
  v1::Host host;
  host.set_host_id(NewUuid());
  host.mutable_facts()->set_host_name(name);
  host.mutable_facts()->set_unlock_public_key(std::string(32, key));
  host.set_site(site);
  host.set_state(v1::HOST_STATE_OFFLINE);
  return host;
}

TEST(UnlockText, SaysWhatACodeWillDo) {
  v1::UnlockKey host;
  host.set_host_name("front\ndesk");
  host.set_site("leeds");
  const std::string text = DescribeUnlock({v1::LEVEL_NO_LATERAL, 4 * kUnlockHour, 1}, host);
  EXPECT_THAT(text, HasSubstr("opens front\\x0adesk at site leeds"));
  EXPECT_THAT(
      text, HasSubstr("to no-lateral (all but remote access and file sharing inside is open) for 4h, once"));
}

TEST(UnlockText, SpellsACodeForThePhone) {
  EXPECT_EQ(SpellOut("E6QV87PPQYKG"),
            "echo six quebec victor\neight seven papa papa\nquebec yankee kilo golf");
}

TEST(KeySheet, ComesBackFromItsText) {
  std::vector<v1::Host> hosts = {HostCalled("front-desk", "leeds", 'a'), HostCalled("server", "york", 'b')};
  hosts.push_back(HostCalled("gone", "york", 'c'));
  hosts.back().set_state(v1::HOST_STATE_REVOKED);
  hosts.push_back(HostCalled("old", "york", 'd'));
  hosts.back().mutable_facts()->clear_unlock_public_key();
  const v1::UnlockKeySheet sheet = MakeKeySheet(NewUuid(), hosts, 7);
  EXPECT_EQ(sheet.keys_size(), 2) << "neither revoked hosts nor those without a key";
  const auto read = ReadKeySheet(WriteKeySheet(sheet));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->SerializeAsString(), sheet.SerializeAsString());
}

TEST(KeySheet, FindsAHostByNameAndById) {
  const std::vector<v1::Host> hosts = {HostCalled("Front-Desk", "leeds", 'a'),
                                       HostCalled("server", "york", 'b'), HostCalled("server", "leeds", 'c')};
  const v1::UnlockKeySheet sheet = MakeKeySheet(NewUuid(), hosts, 7);
  const auto found = FindUnlockKey(sheet, "front-desk");
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->host_id(), hosts[0].host_id());
  EXPECT_THAT(FindUnlockKey(sheet, "server"),
              Fails(absl::StatusCode::kFailedPrecondition, hosts[1].host_id()));
  EXPECT_THAT(FindUnlockKey(sheet, "server"),
              Fails(absl::StatusCode::kFailedPrecondition, hosts[2].host_id()));
  EXPECT_EQ(FindUnlockKey(sheet, hosts[2].host_id())->unlock_public_key(), std::string(32, 'c'));
  EXPECT_THAT(FindUnlockKey(sheet, "nobody"), Fails(absl::StatusCode::kNotFound, "nobody"));
}

TEST(KeySheet, NamesWhatIsWrongWithIt) {
  const auto refusal_after = [](const std::function<void(v1::UnlockKeySheet&)>& spoil) {
    v1::UnlockKeySheet sheet = MakeKeySheet(NewUuid(), {HostCalled("front-desk", "leeds", 'a')}, 7);
    spoil(sheet);
    return std::string(ReadKeySheet(WriteKeySheet(sheet)).status().message());
  };
  EXPECT_EQ(refusal_after([](auto&) {}), "");
  EXPECT_THAT(refusal_after([](auto& s) { s.set_format(2); }), HasSubstr("format 2"));
  EXPECT_THAT(refusal_after([](auto& s) { s.set_fleet_id("x"); }), HasSubstr("fleet id"));
  EXPECT_THAT(refusal_after([](auto& s) { s.mutable_keys(0)->set_host_id("x"); }), HasSubstr("host id"));
  EXPECT_THAT(refusal_after([](auto& s) { s.mutable_keys(0)->set_host_name("a\nb"); }), HasSubstr("name"));
  EXPECT_THAT(refusal_after([](auto& s) { s.mutable_keys(0)->set_site("L!"); }), HasSubstr("site"));
  EXPECT_THAT(refusal_after([](auto& s) { s.mutable_keys(0)->set_unlock_public_key("k"); }),
              HasSubstr("32 bytes"));
  EXPECT_THAT(ReadKeySheet("not a sheet"), Fails(absl::StatusCode::kInvalidArgument, "key sheet"));
  EXPECT_THAT(ReadKeySheet("-----BEGIN CORDON KEY SHEET-----\n/////w==\n-----END CORDON KEY SHEET-----\n"),
              Fails(absl::StatusCode::kInvalidArgument, "damaged"));
}

}  // namespace
}  // namespace cordon::ctl
