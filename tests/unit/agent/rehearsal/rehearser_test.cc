#include "agent/rehearsal/rehearser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/support/policies.h"

namespace cordon::agent {
namespace {

using platform::Level;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Memory final : public FlowMemory {
 public:
  std::vector<KnownFlow> Past() override { return past; }
  int64_t SinceUnixNanos() const override { return 42; }
  std::vector<std::string> NamesOf(const boost::asio::ip::address& address) const override {
    if (address == testing::At("10.2.0.9", 0).address) return {"pms.example.vet"};
    return {};
  }
  std::vector<std::string> Notes() const override { return {"A note."}; }

  std::vector<KnownFlow> past;
};

platform::Connection Out(const std::string& address, uint16_t port, uint64_t owner_key) {
  platform::Connection flow;
  flow.local = testing::At("10.9.9.9", 50'000);
  flow.remote = testing::At(address, port);
  flow.owner_key = owner_key;
  return flow;
}

class RehearserTest : public ::testing::Test {
 protected:
  RehearserTest() {
    auto connections = std::make_unique<testing::FakeConnections>();
    connections_ = connections.get();
    parts_.connections = std::move(connections);
    parts_.memory = &memory_;
    parts_.owners_of = [this](const std::unordered_set<uint64_t>& keys) {
      if (before_owners_) before_owners_();
      std::unordered_map<uint64_t, platform::SocketOwner> owners;
      if (keys.contains(7)) owners[7] = {99, "/opt/pms/client"};
      return owners;
    };
  }

  absl::StatusOr<v1::Rehearsal> Ask(Rehearser& rehearser) {
    return Ask(rehearser, testing::ClinicPolicy(Level::kEssential));
  }
  static absl::StatusOr<v1::Rehearsal> Ask(Rehearser& rehearser, platform::FilterPolicy policy) {
    std::promise<absl::StatusOr<v1::Rehearsal>> answered;
    rehearser.Rehearse({}, std::move(policy),
                       [&](absl::StatusOr<v1::Rehearsal> answer) { answered.set_value(std::move(answer)); });
    return answered.get_future().get();
  }

  testing::FakeClock clock_;
  Memory memory_;
  testing::FakeConnections* connections_ = nullptr;
  std::function<void()> before_owners_;
  Rehearser::Parts parts_{.clock = clock_};
};

TEST_F(RehearserTest, PutsLiveConnectionsProgramsNamesAndThePastTogether) {
  connections_->Open(Out("10.2.0.9", 443, 7));
  connections_->Open(Out("198.51.100.7", 443, 8));
  KnownFlow past;
  past.flow = Out("10.2.0.200", 445, 0);
  past.executable = "/usr/bin/smbclient";
  past.times_seen = 3;
  memory_.past = {past};
  Rehearser rehearser(std::move(parts_));
  const absl::StatusOr<v1::Rehearsal> answer = Ask(rehearser);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->flows_size(), 3);
  EXPECT_EQ(answer->history_since_unix_nanos(), 42);
  EXPECT_THAT(answer->notes(), ElementsAre("A note."));
  int live = 0;
  for (const v1::FlowForecast& flow : answer->flows()) {
    live += flow.live() ? 1 : 0;
    EXPECT_EQ(flow.stays(), flow.remote_address() == "10.2.0.9") << flow.ShortDebugString();
    if (flow.remote_address() != "10.2.0.9") continue;
    EXPECT_EQ(flow.executable(), "/opt/pms/client");
    EXPECT_EQ(flow.remote_name(), "pms.example.vet");
  }
  EXPECT_EQ(live, 2);
}

// A rule for a program that gives a hash: foretold by the file that stands there, not by the path alone.
TEST_F(RehearserTest, ForetellsAProgramByItsHash) {
  platform::FilterPolicy policy{.level = Level::kEssential, .allow = {}, .controllers = {}};
  policy.allow = {
      testing::Allow(platform::FlowDirection::kOut, platform::FlowProtocol::kTcp, {"10.2.0.0/16"})};
  policy.allow[0].program = 0;
  policy.programs = {{.path = "/opt/pms/client", .sha256 = std::string(32, 's')}};
  for (const bool same : {true, false}) {
    Rehearser::Parts parts{.clock = clock_,
                           .connections = std::make_unique<testing::FakeConnections>(),
                           .memory = &memory_,
                           .owners_of = parts_.owners_of,
                           .check_program = [same](const platform::ProgramIdentity&) {
                             return same ? absl::OkStatus()
                                         : absl::FailedPreconditionError("another SHA-256");
                           }};
    static_cast<testing::FakeConnections&>(*parts.connections).Open(Out("10.2.0.9", 443, 7));
    Rehearser rehearser(std::move(parts));
    const auto answer = Ask(rehearser, policy);
    ASSERT_TRUE(answer.ok()) << answer.status();
    ASSERT_EQ(answer->flows_size(), 1);
    EXPECT_EQ(answer->flows(0).stays(), same);
    EXPECT_EQ(answer->notes_size(), same ? 1 : 2);
    if (same) continue;
    EXPECT_THAT(answer->notes(0), HasSubstr("another SHA-256"));
  }
}

TEST_F(RehearserTest, SaysThatItHasNoHistory) {
  parts_.memory = nullptr;
  Rehearser rehearser(std::move(parts_));
  const auto answer = Ask(rehearser);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->notes_size(), 1);
  EXPECT_THAT(answer->notes(0), HasSubstr("no history"));
}

TEST_F(RehearserTest, TellsWhyItCannotAnswer) {
  connections_->FailList(absl::PermissionDeniedError("no right to list sockets"));
  Rehearser rehearser(std::move(parts_));
  EXPECT_THAT(Ask(rehearser).status().message(), HasSubstr("no right to list sockets"));
}

TEST_F(RehearserTest, TakesNoMoreQuestionsThanItCanKeep) {
  std::promise<void> go_on;
  std::promise<void> working;
  before_owners_ = [&, waited = false]() mutable {
    if (std::exchange(waited, true)) return;
    working.set_value();
    go_on.get_future().wait();
  };
  connections_->Open(Out("10.2.0.9", 443, 7));
  std::atomic<int> answered = 0;
  std::atomic<int> refused = 0;
  Rehearser rehearser(std::move(parts_));
  const auto ask = [&] {
    rehearser.Rehearse({}, testing::ClinicPolicy(Level::kEssential),
                       [&](const absl::StatusOr<v1::Rehearsal>& answer) {
                         ++(absl::IsResourceExhausted(answer.status()) ? refused : answered);
                       });
  };
  ask();
  working.get_future().wait();
  for (size_t i = 0; i < Rehearser::kMaxWaiting + 2; ++i) ask();
  EXPECT_EQ(refused, 2);
  go_on.set_value();
  while (answered < static_cast<int>(Rehearser::kMaxWaiting) + 1) std::this_thread::yield();
}

}  // namespace
}  // namespace cordon::agent
