#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/status.h"
#include "platform/windows/resolvers/nrpt_client.h"
#include "tests/support/status_matchers.h"

namespace cordon::platform::nrpt {
namespace {

using ::cordon::testing::Fails;
using ::cordon::testing::IsOk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<boost::asio::ip::address> At(const std::vector<std::string>& texts) {
  std::vector<boost::asio::ip::address> addresses;
  for (const std::string& text : texts) addresses.push_back(boost::asio::ip::make_address(text));
  return addresses;
}

TEST(NrptRule, IsAsReviewed) {
  EXPECT_EQ(Describe(MakeRule(At({"127.67.79.53", "::1"}))),
            "Version REG_DWORD 2\n"
            "Name REG_MULTI_SZ \".\"\n"
            "Comment REG_SZ \"Host names of the profile while Cordon isolates this host; goes at release\"\n"
            "DisplayName REG_SZ \"Cordon\"\n"
            "IPSECCARestriction REG_SZ \"\"\n"
            "GenericDNSServers REG_SZ \"127.67.79.53; ::1\"\n"
            "ConfigOptions REG_DWORD 8\n");
}

// Windows ignores a rule of the local table whose key is named otherwise.
TEST(NrptRule, StandsUnderAGuid) {
  const std::string name = kRuleName;
  ASSERT_EQ(name.size(), 38U);
  EXPECT_EQ(name.front(), '{');
  EXPECT_EQ(name.back(), '}');
  EXPECT_EQ(name.find_first_not_of("{}-0123456789ABCDEF"), std::string::npos);
}

TEST(NrptRule, IsTheSameInAnyOrderAndNoOther) {
  const Rule rule = MakeRule(At({"::1"}));
  Rule turned = rule;
  std::ranges::reverse(turned);
  EXPECT_TRUE(Same(rule, turned));
  EXPECT_FALSE(Same(rule, MakeRule(At({"127.67.79.53"}))));
  Rule more = rule;
  more.push_back({"DNSSECValidationRequired", uint32_t{1}});
  EXPECT_FALSE(Same(rule, more));
  Rule odd = rule;
  odd.back().data = std::monostate();
  EXPECT_FALSE(Same(rule, odd));
}

TEST(NrptObstacles, NothingIsSaidOfAHostThatHasNone) {
  EXPECT_THAT(Obstacles({.client_runs = true}), IsEmpty());
  EXPECT_THAT(Obstacles({.client_runs = true, .doh_policy = 2}), IsEmpty());
}

TEST(NrptObstacles, EachIsNamedWithWhatToDo) {
  EXPECT_THAT(Obstacles({}), ElementsAre(HasSubstr("Dnscache) does not run")));
  EXPECT_THAT(Obstacles({.client_runs = true, .group_policy = true}),
              ElementsAre(AllOf(HasSubstr("group policy"), HasSubstr("DnsPolicyConfig"))));
  EXPECT_THAT(Obstacles({.client_runs = true, .doh_policy = 3}), ElementsAre(HasSubstr("DoHPolicy 3")));
}

TEST(NrptObstacles, OthersNamesAreListedAndTheListIsBounded) {
  EXPECT_THAT(Obstacles({.client_runs = true, .foreign_names = {".corp.example", "pms.example"}}),
              ElementsAre(HasSubstr(".corp.example, pms.example")));
  const std::vector<std::string> many(500, ".corp.example");
  EXPECT_THAT(Obstacles({.client_runs = true, .foreign_names = many}),
              ElementsAre(HasSubstr("and 492 more")));
}

// What outlives an agent, and what was asked of it.
struct World {
  std::optional<Rule> rule;
  bool client_follows = false;  // as the client has read its table last
  Surroundings around{.client_runs = true};
  std::vector<std::string> calls;
  std::string fail_at;

  absl::Status Call(const std::string& name) {
    calls.push_back(name);
    return name == fail_at ? absl::UnavailableError("error 5") : absl::OkStatus();
  }
  std::vector<std::string> Calls() { return std::exchange(calls, {}); }
};

class RecordingTable final : public Table {
 public:
  explicit RecordingTable(World* world) : world_(*world) {}

  absl::StatusOr<std::optional<Rule>> Read() override {
    CORDON_RETURN_IF_ERROR(world_.Call("read"));
    return world_.rule;
  }
  absl::Status Write(const Rule& rule) override {
    CORDON_RETURN_IF_ERROR(world_.Call("write"));
    world_.rule = rule;
    return absl::OkStatus();
  }
  absl::Status Delete() override {
    CORDON_RETURN_IF_ERROR(world_.Call("delete"));
    world_.rule.reset();
    return absl::OkStatus();
  }
  absl::Status Reload() override {
    CORDON_RETURN_IF_ERROR(world_.Call("reload"));
    world_.client_follows = world_.rule.has_value();
    return absl::OkStatus();
  }
  Surroundings Look() override { return world_.around; }

 private:
  World& world_;
};

class NrptClientTest : public ::testing::Test {
 protected:
  // A new one is an agent that has just started.
  std::unique_ptr<DnsClient> Start() { return MakeNrptClient(std::make_unique<RecordingTable>(&world_)); }

  World world_;
  std::unique_ptr<DnsClient> client_ = Start();
};

TEST_F(NrptClientTest, GuardsAreOnLoopbackAndNotWhereOtherServersAre) {
  EXPECT_EQ(client_->GuardPort(), 53);
  ASSERT_FALSE(client_->GuardAddresses().empty());
  for (const auto& address : client_->GuardAddresses()) {
    EXPECT_TRUE(address.is_loopback()) << address;
    EXPECT_NE(address.to_string(), "127.0.0.1");
  }
}

TEST_F(NrptClientTest, TurnsOnceAndBackOnce) {
  const auto guards = client_->GuardAddresses();
  EXPECT_THAT(client_->Turn(guards), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read", "write", "reload"));
  EXPECT_EQ(world_.rule, MakeRule(guards));
  EXPECT_TRUE(world_.client_follows);
  EXPECT_THAT(client_->Turn(guards), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read"));
  EXPECT_THAT(client_->TurnBack(), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read", "delete", "reload"));
  EXPECT_FALSE(world_.rule.has_value());
  EXPECT_FALSE(world_.client_follows);
  EXPECT_THAT(client_->TurnBack(), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read"));
}

TEST_F(NrptClientTest, ARuleThatSomebodyChangedOrTookAwayIsWrittenAnew) {
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  world_.rule->push_back({"DNSSECValidationRequired", uint32_t{1}});
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  EXPECT_EQ(world_.rule, MakeRule(At({"::1"})));
  world_.rule.reset();
  world_.Calls();
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read", "write", "reload"));
}

TEST_F(NrptClientTest, AnotherGuardIsAnotherRule) {
  EXPECT_THAT(client_->Turn(At({"127.67.79.53", "::1"})), IsOk());
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  EXPECT_EQ(world_.rule, MakeRule(At({"::1"})));
  EXPECT_THAT(client_->Turn({}), Fails(absl::StatusCode::kInvalidArgument, "somebody to ask"));
}

TEST_F(NrptClientTest, ISO5_WhatAKilledAgentLeftIsTakenOverOrTakenAway) {
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  client_ = Start();
  world_.Calls();
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read", "reload")) << "it may have been killed before it told";
  client_ = Start();
  EXPECT_THAT(client_->TurnBack(), IsOk());
  EXPECT_FALSE(world_.rule.has_value());
  EXPECT_FALSE(world_.client_follows);
}

// Killed between the registry and the service: the client still follows a rule that is gone.
TEST_F(NrptClientTest, ISO5_AClientThatWasNotToldIsToldByTheNextAgent) {
  world_.client_follows = true;
  EXPECT_THAT(client_->TurnBack(), IsOk());
  EXPECT_FALSE(world_.client_follows);
}

TEST_F(NrptClientTest, EveryFailureIsToldAndTheNextCallFinishesTheWork) {
  for (const char* call : {"write", "reload"}) {
    world_ = World{.fail_at = call};
    client_ = Start();
    EXPECT_THAT(client_->Turn(At({"::1"})),
                Fails(absl::StatusCode::kUnavailable, "turned to the agent's guard"))
        << call;
    world_.fail_at.clear();
    EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
    EXPECT_TRUE(world_.client_follows) << call;
  }
  for (const char* call : {"delete", "reload"}) {
    world_.fail_at = call;
    EXPECT_THAT(client_->TurnBack(), Fails(absl::StatusCode::kUnavailable, "turned back")) << call;
    world_.fail_at.clear();
    EXPECT_THAT(client_->TurnBack(), IsOk());
    EXPECT_FALSE(world_.client_follows) << call;
    EXPECT_FALSE(world_.rule.has_value()) << call;
    EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  }
}

// A table that cannot be read may hold anything.
TEST_F(NrptClientTest, WithoutReadingItWritesAndDeletesAllTheSame) {
  world_.fail_at = "read";
  EXPECT_THAT(client_->Turn(At({"::1"})), IsOk());
  EXPECT_TRUE(world_.client_follows);
  EXPECT_THAT(client_->TurnBack(), IsOk());
  EXPECT_THAT(world_.Calls(), ElementsAre("read", "write", "reload", "read", "delete", "reload"));
}

TEST_F(NrptClientTest, TellsObstacles) {
  EXPECT_THAT(client_->Obstacles(), IsEmpty());
  world_.around.group_policy = true;
  EXPECT_THAT(client_->Obstacles(), Not(IsEmpty()));
}

}  // namespace
}  // namespace cordon::platform::nrpt
