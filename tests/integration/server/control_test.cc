// The Control stream: who may hold it, and what travels on it.

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/sqlite/database.h"
#include "common/wire/audit_checkpoint.h"
#include "tests/support/raw_call.h"
#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

v1::ControlRequest Beat(uint64_t id) {
  v1::ControlRequest request;
  request.mutable_heartbeat()->set_id(id);
  return request;
}

v1::ControlRequest Report(const std::string& order_id, v1::OrderOutcome::State state) {
  v1::ControlRequest request;
  request.mutable_outcome()->set_order_id(order_id);
  request.mutable_outcome()->set_state(state);
  return request;
}

v1::HostState StateOf(ServerBox& box, const std::string& host_id) {
  v1::ListHostsRequest request;
  request.mutable_target()->add_hosts()->set_host_id(host_id);
  v1::ListHostsResponse response;
  Must(Call([&](auto* context) { return box.Operator().ListHosts(context, request, &response); }));
  return response.hosts_size() == 1 ? response.hosts(0).state() : v1::HOST_STATE_UNSPECIFIED;
}

// A host with a session that was welcomed.
struct Connected {
  ServerBox box;
  TestHost host = box.AddHost();
  std::unique_ptr<ControlClient> control = host.Control();

  Connected() {
    control->Send(HelloOf("reception-1"));
    const auto welcome = control->Read();
    if (!welcome || !welcome->has_welcome()) throw std::runtime_error("not welcomed");
  }
};

TEST(ServerControl, WelcomesAfterHelloAndAnswersHeartbeats) {
  ServerBox box({.heartbeat_interval_nanos = 7 * kNanosPerSecond});
  const TestHost host = box.AddHost();
  EXPECT_EQ(StateOf(box, host.id), v1::HOST_STATE_OFFLINE);
  const auto control = host.Control();
  ASSERT_TRUE(control->Send(HelloOf("reception-1")));
  const auto welcome = control->Read();
  ASSERT_TRUE(welcome.has_value() && welcome->has_welcome());
  EXPECT_EQ(welcome->welcome().heartbeat_interval_nanos(), 7 * kNanosPerSecond);
  ASSERT_TRUE(control->Send(Beat(41)));
  const auto answer = control->Read();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->heartbeat_ack().id(), 41U);
  EXPECT_EQ(StateOf(box, host.id), v1::HOST_STATE_CONNECTED);
  EXPECT_THAT(control->HangUp(), IsOk());
  // The host may hear of the end of its stream before the server has put the session away.
  for (int i = 0; i < 500 && StateOf(box, host.id) != v1::HOST_STATE_OFFLINE; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(StateOf(box, host.id), v1::HOST_STATE_OFFLINE);
}

TEST(ServerControl, AHostThatWentDarkOnOrderIsNoHostThatIsMerelyAway) {
  Connected c;
  const auto away_as = [&](v1::HostState state) {
    for (int i = 0; i < 500 && StateOf(c.box, c.host.id) != state; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return StateOf(c.box, c.host.id) == state;
  };
  v1::Order order = c.box.IsolateHosts({c.host.id});
  order.mutable_isolate()->clear_profile();
  order.mutable_isolate()->set_level(v1::LEVEL_DARK);
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(c.box.Submit(c.box.Signed(order), &submitted), IsOk());
  ASSERT_TRUE(c.control->Read()->has_order());
  ASSERT_TRUE(c.control->Send(Report(order.order_id(), v1::OrderOutcome::STATE_GOING_DARK)));
  ASSERT_TRUE(c.control->Send(Beat(1)));
  EXPECT_TRUE(c.control->Read()->has_heartbeat_ack()) << "it is kept before what comes behind it is answered";
  EXPECT_EQ(c.box.Audit().back().action(), "order.going_dark");
  EXPECT_EQ(StateOf(c.box, c.host.id), v1::HOST_STATE_CONNECTED) << "until it is gone";
  EXPECT_THAT(c.control->HangUp(), IsOk());
  EXPECT_TRUE(away_as(v1::HOST_STATE_DARK));
  // It is reached again, under what followed; then it is away like any other.
  const auto back = c.host.Control();
  v1::ControlRequest hello = HelloOf("reception-1");
  hello.mutable_hello()->mutable_receipt()->set_order_id(order.order_id());
  hello.mutable_hello()->mutable_receipt()->set_read_back_time_unix_nanos(WallNowNanos());
  hello.mutable_hello()->mutable_receipt()->set_intended_level(v1::LEVEL_OBSERVE);
  back->Send(hello);
  ASSERT_TRUE(back->Read()->has_welcome());
  ASSERT_TRUE(back->Read()->has_order()) << "it did not say that it has it";
  ASSERT_TRUE(back->Send(Report(order.order_id(), v1::OrderOutcome::STATE_DONE)));
  ASSERT_TRUE(back->Send(Beat(1)));
  EXPECT_TRUE(back->Read()->has_heartbeat_ack());
  EXPECT_THAT(back->HangUp(), IsOk());
  EXPECT_TRUE(away_as(v1::HOST_STATE_OFFLINE));
}

TEST(ServerControl, TheFirstMessageIsHelloAndComesOnce) {
  Connected c;
  const auto other = c.box.AddHost("other").Control();
  other->Send(Beat(1));
  EXPECT_THAT(other->End(), Fails(kPrecondition, "first message of a Control stream is Hello"));
  c.control->Send(HelloOf("reception-1"));
  EXPECT_THAT(c.control->End(), Fails(kPrecondition, "second Hello"));
}

TEST(ServerControl, AUT6_AHelloOutOfBoundsIsRefused) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const auto refusal = [&](const v1::ControlRequest& hello) {
    const auto control = host.Control();
    control->Send(hello);
    return control->End();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(refusal(HelloOf("")), Fails(kInvalid, "host_name"));
  EXPECT_THAT(refusal(HelloOf("a", "no uuid")), Fails(kInvalid, "session_id"));
  v1::ControlRequest lanes = HelloOf("a");
  for (int i = 0; i < 17; ++i) lanes.mutable_hello()->add_lanes();
  EXPECT_THAT(refusal(lanes), Fails(kInvalid, "lanes"));
  v1::ControlRequest unknown = HelloOf("a");
  v1::HostFacts& facts = *unknown.mutable_hello()->mutable_facts();
  facts.GetReflection()->MutableUnknownFields(&facts)->AddLengthDelimited(1'000)->assign(64 * 1024, 'x');
  EXPECT_THAT(refusal(unknown), Fails(kInvalid, "facts"));
  v1::ControlRequest large = HelloOf("a");
  large.mutable_hello()->mutable_receipt()->add_reasons(std::string(600 * 1024, 'x'));
  EXPECT_THAT(refusal(large), Fails(kInvalid, "the first message has"));
  v1::ControlRequest many = HelloOf("a");
  for (int i = 0; i < 70'000; ++i) many.mutable_hello()->mutable_receipt()->add_probes();
  EXPECT_THAT(refusal(many), Fails(kInvalid, "parts"));
  v1::ControlRequest receipt = HelloOf("a");
  receipt.mutable_hello()->mutable_receipt()->add_reasons(std::string(129 * 1024, 'x'));
  EXPECT_THAT(refusal(receipt), Fails(kInvalid, "receipt"));
}

TEST(ServerControl, ASilentPeerIsLetGo) {
  ServerBox box({.heartbeat_deadline_nanos = 300 * kNanosPerMilli});
  const TestHost host = box.AddHost();
  const auto mute = host.Control();
  EXPECT_THAT(mute->End(), Fails(absl::StatusCode::kDeadlineExceeded, "no Hello for 300ms"));
  const auto control = host.Control();
  ASSERT_TRUE(control->Send(HelloOf("reception-1")));
  EXPECT_THAT(control->End(), Fails(absl::StatusCode::kDeadlineExceeded, "no heartbeat for 300ms"));
}

TEST(ServerControl, AUT2_ASecondLiveSessionOfTheIdentityFencesTheOlderAndIsNoted) {
  Connected c;
  const auto clone = c.host.Control();
  ASSERT_TRUE(clone->Send(HelloOf("reception-1")));
  ASSERT_TRUE(clone->Read().has_value());
  EXPECT_THAT(c.control->End(), Fails(absl::StatusCode::kAborted, "another run of this host's agent"));
  ASSERT_TRUE(clone->Send(Beat(1)));
  const auto answer = clone->Read();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->heartbeat_ack().id(), 1U);
  EXPECT_EQ(StateOf(c.box, c.host.id), v1::HOST_STATE_CONNECTED);
  EXPECT_EQ(c.box.Audit().back().action(), "session.second");
  EXPECT_EQ(c.box.Audit().back().actor(), "host/" + c.host.id);
}

TEST(ServerControl, AUT2_TwoCopiesOfAnIdentityThatLiveAreNamedAsSuch) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const v1::ControlRequest one = HelloOf("reception-1");
  const v1::ControlRequest other = HelloOf("reception-1");
  std::vector<std::unique_ptr<ControlClient>> sessions;
  for (const v1::ControlRequest& hello : {one, other, one}) {
    sessions.push_back(host.Control());
    ASSERT_TRUE(sessions.back()->Send(hello));
    ASSERT_TRUE(sessions.back()->Read()->has_welcome());
  }
  std::vector<std::string> noted;
  for (const v1::AuditEntry& entry : box.Audit()) {
    if (entry.action().starts_with("session.")) noted.push_back(entry.action());
  }
  EXPECT_THAT(noted, ::testing::ElementsAre("session.second", "session.cloned"));
}

TEST(ServerControl, TheSameRunThatConnectsAgainIsNoClone) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const v1::ControlRequest hello = HelloOf("reception-1");
  const auto first = host.Control();
  ASSERT_TRUE(first->Send(hello));
  ASSERT_TRUE(first->Read().has_value());
  const auto second = host.Control();
  ASSERT_TRUE(second->Send(hello));
  ASSERT_TRUE(second->Read().has_value());
  EXPECT_THAT(first->End(), Fails(absl::StatusCode::kAborted, "has connected again"));
  EXPECT_NE(box.Audit().back().action(), "session.second");
}

TEST(ServerControl, ARevokedHostIsPutOutAndStaysOut) {
  Connected c;
  v1::RevokeHostRequest request;
  v1::RevokeHostResponse response;
  request.set_host_id(c.host.id);
  const auto revoke = [&] {
    return Call([&](auto* context) { return c.box.Operator().RevokeHost(context, request, &response); });
  };
  EXPECT_THAT(revoke(), Fails(absl::StatusCode::kInvalidArgument, "reason"));
  request.set_reason("stolen");
  ASSERT_THAT(revoke(), IsOk());
  EXPECT_THAT(c.control->End(), Fails(absl::StatusCode::kPermissionDenied, "revoked"));
  const auto again = c.host.Control();
  again->Send(HelloOf("reception-1"));
  EXPECT_THAT(again->End(), Fails(absl::StatusCode::kPermissionDenied, "revoked"));
  EXPECT_EQ(StateOf(c.box, c.host.id), v1::HOST_STATE_REVOKED);
  request.set_host_id(NewUuid());
  EXPECT_THAT(revoke(), Fails(absl::StatusCode::kNotFound, request.host_id()));
}

TEST(ServerControl, AnOrderComesByteForByteAtOnceOrWithTheNextHello) {
  Connected c;
  const v1::SignedOrder first = c.box.Signed(c.box.IsolateHosts({c.host.id}));
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(c.box.Submit(first, &submitted), IsOk());
  EXPECT_EQ(submitted.hosts(), 1U);
  const auto pushed = c.control->Read();
  ASSERT_TRUE(pushed.has_value());
  EXPECT_EQ(pushed->order().SerializeAsString(), first.SerializeAsString());
  EXPECT_THAT(c.control->HangUp(), IsOk());

  const v1::SignedOrder second = c.box.Signed(c.box.IsolateHosts({c.host.id}));
  ASSERT_THAT(c.box.Submit(second, &submitted), IsOk());
  const auto control = c.host.Control();
  ASSERT_TRUE(control->Send(HelloOf("reception-1")));
  ASSERT_TRUE(control->Read()->has_welcome());
  const auto waiting = control->Read();
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->order().SerializeAsString(), second.SerializeAsString());  // only the newest
}

// What stands beside the order that comes next.
v1::AuditProof ProofOfNext(ServerBox& box, ControlClient& control, const std::string& host_id) {
  v1::SubmitOrderResponse submitted;
  const v1::SignedOrder order = box.Signed(box.IsolateHosts({host_id}));
  Must(box.Submit(order, &submitted));
  while (const auto message = control.Read()) {  // one from before may come twice
    if (message->order().order() == order.order()) return message->audit();
  }
  throw std::runtime_error("no order came");
}

TEST(ServerControl, AUT3_EachOrderBringsAProofThatTheAuditLogGoesOn) {
  Connected c;
  const auto judge = [&](const v1::AuditProof& proof, const std::optional<v1::AuditCheckpoint>& seen) {
    return Must(JudgeAuditProof(proof, seen, c.box.Ca().AuditLogPublicKey(), c.box.Fleet().FleetId()));
  };
  const v1::AuditProof first = ProofOfNext(c.box, *c.control, c.host.id);
  const v1::AuditCheckpoint seen = judge(first, std::nullopt);
  EXPECT_GE(seen.size(), 4U);  // the order's own submission is in it
  const v1::AuditCheckpoint later = judge(ProofOfNext(c.box, *c.control, c.host.id), seen);
  EXPECT_GT(later.size(), seen.size());

  // Another session: the host says itself what it has seen.
  EXPECT_THAT(c.control->HangUp(), IsOk());
  const auto control = c.host.Control();
  v1::ControlRequest hello = HelloOf("reception-1");
  *hello.mutable_hello()->mutable_audit_checkpoint() = first.checkpoint();
  ASSERT_TRUE(control->Send(hello));
  ASSERT_TRUE(control->Read()->has_welcome());
  const auto again = control->Read();  // the newest order, which has not had its effect
  ASSERT_TRUE(again.has_value() && again->has_order());
  EXPECT_EQ(again->audit().from_size(), seen.size());
  judge(again->audit(), seen);
}

// Of a host that has seen more of the audit log than there is.
v1::ControlRequest HelloAfterALongerLog(Connected& c) {
  v1::AuditCheckpoint longer;
  longer.set_fleet_id(c.box.Fleet().FleetId());
  longer.set_size(1'000);
  longer.set_root_sha256(std::string(32, 'r'));
  v1::ControlRequest hello = HelloOf("reception-1");
  *hello.mutable_hello()->mutable_audit_checkpoint() = Must(SignCheckpoint(longer, c.box.Ca().AuditLogKey()));
  return hello;
}

TEST(ServerControl, AUT3_AControllerThatWasSetBackIsFoundOutByWhatAHostHasSeen) {
  Connected c;
  const auto control = c.host.Control();
  ASSERT_TRUE(control->Send(HelloAfterALongerLog(c)));
  ASSERT_TRUE(control->Read()->has_welcome());  // the host must stay reachable
  const std::vector<v1::AuditEntry> log = c.box.Audit();
  const auto noted = std::ranges::find(log, "audit.not_continued", &v1::AuditEntry::action);
  ASSERT_NE(noted, log.end());
  EXPECT_EQ(noted->actor(), "host/" + c.host.id);
  EXPECT_THAT(noted->detail(), ::testing::HasSubstr("this log is shorter"));
}

// Whoever watches is told once, and not each second that all is well and then that it is not.
TEST(ServerControl, HealthSaysSteadilyThatTheAuditLogDoesNotGoOn) {
  Connected c;
  const std::string question = StrCat("\x0a\x0c", "cordon.audit");
  const auto channel = c.box.Connect(c.box.OperatorTls());
  const auto ask = [&] { return CallByBytes(channel, "/grpc.health.v1.Health/Check", question); };
  for (int i = 0; i < 500 && ask() != "\x08\x01"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_EQ(ask(), "\x08\x01");
  const auto control = c.host.Control();
  ASSERT_TRUE(control->Send(HelloAfterALongerLog(c)));
  ASSERT_TRUE(control->Read()->has_welcome());
  for (int i = 0; i < 500 && ask() != "\x08\x02"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_THAT(
      WatchByBytes(channel, "/grpc.health.v1.Health/Watch", question, std::chrono::milliseconds(3'500)),
      ::testing::ElementsAre("\x08\x02"));
  EXPECT_EQ(AskHealth(channel), "\x08\x01") << "the store answers";
}

// A host would refuse an order without a proof for good.
TEST(ServerControl, AUT3_AnOrderWhoseProofCannotBeReadNowWaitsForTheNextSession) {
  ServerBox box;
  const TestHost host = box.AddHost();
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(box.IsolateHosts({host.id})), &submitted), IsOk());
  const auto break_and_mend = [&](const char* sql) {
    Must(Must(Database::Open(box.StoreFile(), Database::Durability::kFull)).Execute(sql));
  };
  break_and_mend("ALTER TABLE audit_tree RENAME TO audit_tree_away");
  const auto early = host.Control();
  ASSERT_TRUE(early->Send(HelloOf("reception-1")));
  const auto welcome = early->Read();
  EXPECT_TRUE(welcome.has_value() && welcome->has_welcome());
  EXPECT_FALSE(early->Read().has_value()) << "no order without its proof";
  EXPECT_THAT(early->End(), Fails(absl::StatusCode::kUnavailable, "connect again"));
  break_and_mend("ALTER TABLE audit_tree_away RENAME TO audit_tree");
  const auto later = host.Control();
  ASSERT_TRUE(later->Send(HelloOf("reception-1")));
  ASSERT_TRUE(later->Read()->has_welcome());
  const auto order = later->Read();
  ASSERT_TRUE(order.has_value() && order->has_order());
  EXPECT_TRUE(order->has_audit());
}

TEST(ServerControl, AUT2_AnOutcomeIsTheCertificatesHostsWhateverItSays) {
  Connected c;
  const TestHost other = c.box.AddHost("other");
  const v1::Order order = c.box.IsolateHosts({c.host.id, other.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(c.box.Submit(c.box.Signed(order), &submitted), IsOk());
  ASSERT_TRUE(c.control->Read().has_value());
  v1::ControlRequest report = Report(order.order_id(), v1::OrderOutcome::STATE_DONE);
  report.mutable_outcome()->set_host_id(other.id);
  ASSERT_TRUE(c.control->Send(report));
  ASSERT_TRUE(c.control->Send(Beat(1)));
  ASSERT_TRUE(c.control->Read().has_value());  // reports are recorded before what follows them is answered
  for (const v1::OrderOutcome& outcome : Must(c.box.Store().OutcomesOf(order.order_id()))) {
    EXPECT_EQ(outcome.state() == v1::OrderOutcome::STATE_DONE, outcome.host_id() == c.host.id);
  }
}

TEST(ServerControl, AUT6_AReportOutOfBoundsEndsTheStreamAndChangesNothing) {
  Connected c;
  const v1::Order order = c.box.IsolateHosts({c.host.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(c.box.Submit(c.box.Signed(order), &submitted), IsOk());
  ASSERT_TRUE(c.control->Read().has_value());
  c.control->Send(Report(order.order_id(), v1::OrderOutcome::STATE_PENDING));
  EXPECT_THAT(c.control->End(), Fails(absl::StatusCode::kInvalidArgument, "outcome.state"));
  for (const v1::OrderOutcome& outcome : Must(c.box.Store().OutcomesOf(order.order_id()))) {
    EXPECT_LE(outcome.state(), v1::OrderOutcome::STATE_DELIVERED);
  }
}

// An order may be signed by whom only the change of trust before it names: whoever gets it first refuses it
// for good. Operators submit in one after the other, hosts come back at any moment between.
TEST(ServerControl, AUT3_AnOrderNeverOvertakesTheChangeOfTrustBeforeIt) {
  constexpr uint64_t kChanges = 60;
  ServerBox box;
  const TestHost host = box.AddHost();
  std::atomic<bool> done = false;
  std::atomic<int> overtaken = 0;
  std::atomic<int> orders_seen = 0;
  std::thread operators([&] {
    v1::TrustBundle bundle;
    bundle.ParseFromString(box.Fleet().Trust().bundle());
    uint64_t sequence = static_cast<uint64_t>(WallNowNanos() / 1'000);
    for (uint64_t version = 2; version < 2 + kChanges; ++version) {
      v1::SubmitOrderResponse submitted;
      v1::Order change = box.IsolateHosts({});
      bundle.set_version(version);
      change.mutable_target()->set_all(true);
      change.set_sequence(++sequence);
      change.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
      Must(box.Submit(box.Signed(change), &submitted));
      v1::Order isolate = box.IsolateHosts({host.id});
      isolate.set_sequence(++sequence);
      isolate.set_reason(std::to_string(version));
      Must(box.Submit(box.Signed(isolate), &submitted));
    }
    done = true;
  });
  while (!done) {
    const auto control = host.Control();
    control->Send(HelloOf("reception-1"));
    uint64_t version = 1;
    for (int i = 0; i < 12; ++i) {
      control->Send(Beat(1));  // so that there is always something to read
      const auto message = control->Read();
      if (!message.has_value()) break;
      v1::Order order;
      if (!message->has_order() || !order.ParseFromString(message->order().order())) continue;
      v1::TrustBundle bundle;
      if (order.has_trust()) {
        bundle.ParseFromString(order.trust().bundle().bundle());
        version = std::max(version, bundle.version());
      } else {
        ++orders_seen;
        overtaken += std::stoull(order.reason()) > version ? 1 : 0;
      }
    }
  }
  operators.join();
  EXPECT_EQ(overtaken, 0) << "of " << orders_seen;
  EXPECT_GT(orders_seen, 0);
}

// A late approval: the host has a newer scan by then, and would take this one for old.
TEST(ServerControl, AScanThatTheHostWouldTakeForOldIsNotLeftWaiting) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const auto submit_scan = [&](uint64_t sequence) {
    v1::Order order = box.IsolateHosts({host.id});
    order.mutable_scan()->mutable_spec()->mutable_integrity();
    order.set_sequence(sequence);
    v1::SubmitOrderResponse submitted;
    Must(box.Submit(box.Signed(order), &submitted));
    return order.order_id();
  };
  const auto state_of = [&](const std::string& order_id) {
    return Must(box.Store().OutcomesOf(order_id)).at(0).state();
  };
  const auto now = static_cast<uint64_t>(WallNowNanos() / 1'000);
  const std::string late = submit_scan(now - 10);
  const std::string next = submit_scan(now + 10);
  v1::ControlRequest hello = HelloOf("reception-1");
  v1::LaneState& lane = *hello.mutable_hello()->add_lanes();
  lane.set_lane("scan");
  lane.set_sequence(now);
  lane.set_order_id(NewUuid());
  const auto control = host.Control();
  ASSERT_TRUE(control->Send(hello));
  ASSERT_TRUE(control->Read()->has_welcome());
  const auto order = control->Read();
  ASSERT_TRUE(order.has_value() && order->has_order());
  for (int i = 0; i < 500 && state_of(late) == v1::OrderOutcome::STATE_PENDING; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(state_of(late), v1::OrderOutcome::STATE_SUPERSEDED);
  EXPECT_LE(state_of(next), v1::OrderOutcome::STATE_DELIVERED) << "the positive control";
}

// Ten thousand hosts come back after a power cut: all threads for hosts wait for the store.
TEST(ServerControl, HostsThatWaitForTheStoreKeepNoOperatorWaiting) {
  ServerBox box({.workers = 1});
  const v1::EnrollmentFile file = box.MakeEnrollment();
  const KeyPtr key = Must(NewTlsKey());
  const v1::EnrollRequest request = ServerBox::EnrollRequestFor(file, *key);
  const auto stub = box.Gateway(box.BootstrapTls(file));
  Database other = Must(Database::Open(box.StoreFile(), Database::Durability::kFull));
  std::atomic<bool> enrolled = false;
  std::thread host;
  Must(other.Transaction([&]() -> absl::Status {  // the store cannot be written now
    host = std::thread([&] {
      v1::EnrollResponse response;
      Must(Call([&](auto* context) { return stub->Enroll(context, request, &response); }));
      enrolled = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    v1::GetFleetResponse fleet;
    EXPECT_THAT(Call([&](auto* context) {
                  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
                  return box.Operator().GetFleet(context, v1::GetFleetRequest(), &fleet);
                }),
                IsOk());
    EXPECT_FALSE(enrolled) << "the host did not wait: nothing was tested";
    return absl::OkStatus();
  }));
  host.join();
  EXPECT_TRUE(enrolled);
}

TEST(ServerControl, AStoppingControllerSaysSo) {
  Connected c;
  c.box.Server().Stop();
  EXPECT_THAT(c.control->End(), Fails(absl::StatusCode::kUnavailable, "stopping"));
}

}  // namespace
}  // namespace cordon::testing
