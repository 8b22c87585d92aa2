// What operators call: orders and their progress, events, health, the audit log.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/wire/audit_chain.h"
#include "common/wire/audit_checkpoint.h"
#include "common/wire/merkle.h"
#include "common/wire/order.h"
#include "tests/support/raw_call.h"
#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_batches.h"

namespace cordon::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

std::unique_ptr<ControlClient> ConnectHost(const TestHost& host) {
  auto control = host.Control();
  control->Send(HelloOf("reception-1"));
  if (!control->Read().has_value()) throw std::runtime_error("not welcomed");
  return control;
}

int CountOrders(ServerBox& box) {
  v1::ListOrdersResponse listed;
  Must(Call([&](auto* c) { return box.Operator().ListOrders(c, v1::ListOrdersRequest(), &listed); }));
  return listed.orders_size();
}

// AUT-3: the hosts judge again; here the operator hears of a mistake at once.
TEST(ServerOrders, AUT6_AMalformedOneIsRefusedAndNotKept) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const v1::Order good = box.IsolateHosts({host.id});
  v1::SubmitOrderResponse submitted;
  const auto refusal = [&](const std::function<void(v1::Order&)>& spoil) {
    v1::Order order = good;
    spoil(order);
    return box.Submit(box.Signed(order), &submitted);
  };
  EXPECT_THAT(box.Submit({}, &submitted), Fails(kDenied, "not signed"));
  v1::SignedOrder noise = box.Signed(good);
  noise.set_order("\xff\xff\xff");
  EXPECT_THAT(box.Submit(noise, &submitted), Fails(kInvalid, ""));
  v1::SignedOrder large = box.Signed(good);
  large.set_order(std::string(kMaxOrderBytes + 1, 'x'));
  EXPECT_THAT(box.Submit(large, &submitted), Fails(kInvalid, "at most"));
  EXPECT_THAT(refusal([](auto& o) { o.clear_isolate(); }), Fails(kInvalid, "action"));
  EXPECT_THAT(refusal([](auto& o) { o.set_order_id("x"); }), Fails(kInvalid, "order_id"));
  EXPECT_THAT(refusal([](auto& o) { o.clear_target(); }), Fails(kInvalid, "target"));
  EXPECT_THAT(refusal([](auto& o) { o.clear_reason(); }), Fails(kInvalid, "reason"));
  EXPECT_THAT(refusal([](auto& o) { o.set_fleet_id(NewUuid()); }), Fails(kDenied, "fleet"));
  EXPECT_THAT(refusal([](auto& o) {
                o.set_not_before_unix_nanos(WallNowNanos() - 2 * TestFleet::kHour);
                o.set_expiry_unix_nanos(WallNowNanos() - TestFleet::kHour);
                o.set_sequence(static_cast<uint64_t>(o.not_before_unix_nanos() / 1'000));
              }),
              Fails(kInvalid, "expired"));
  EXPECT_THAT(refusal([](auto& o) { o.set_not_before_unix_nanos(WallNowNanos() + TestFleet::kHour / 2); }),
              Fails(kInvalid, "not valid before"));
  v1::SignedOrder unsigned_order = box.Signed(good);
  unsigned_order.clear_signatures();
  EXPECT_THAT(box.Submit(unsigned_order, &submitted), Fails(kDenied, ""));
  v1::SignedOrder altered = box.Signed(good);
  altered.mutable_signatures(0)->mutable_ed25519()->front() ^= 1;
  EXPECT_THAT(box.Submit(altered, &submitted), Fails(kDenied, ""));
  EXPECT_EQ(CountOrders(box), 0);
  EXPECT_THAT(refusal([](auto&) {}), IsOk());  // the positive control
  EXPECT_EQ(CountOrders(box), 1);
}

TEST(ServerOrders, TheSameOneTwiceIsOne) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const auto control = ConnectHost(host);
  const v1::SignedOrder order = box.Signed(box.IsolateHosts({host.id}));
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(order, &submitted), IsOk());
  ASSERT_THAT(box.Submit(order, &submitted), IsOk());
  EXPECT_EQ(submitted.hosts(), 1U);
  EXPECT_EQ(CountOrders(box), 1);
}

TEST(ServerOrders, BadQuestionsAreRefused) {
  ServerBox box;
  v1::ListOrdersRequest list;
  v1::ListOrdersResponse listed;
  list.set_limit(1'001);
  EXPECT_THAT(Call([&](auto* c) { return box.Operator().ListOrders(c, list, &listed); }),
              Fails(kInvalid, "limit"));
  v1::GetOrderRequest get;
  v1::GetOrderResponse got;
  get.set_order_id("x");
  EXPECT_THAT(Call([&](auto* c) { return box.Operator().GetOrder(c, get, &got); }),
              Fails(kInvalid, "order_id"));
  get.set_order_id(NewUuid());
  EXPECT_THAT(Call([&](auto* c) { return box.Operator().GetOrder(c, get, &got); }),
              Fails(absl::StatusCode::kNotFound, get.order_id()));
}

using WatchClient = ReadClient<v1::WatchOrderResponse>;

std::unique_ptr<WatchClient> Watch(ServerBox& box, const std::string& order_id) {
  v1::WatchOrderRequest request;
  request.set_order_id(order_id);
  return std::make_unique<WatchClient>([&](auto* c) { return box.Operator().WatchOrder(c, request); });
}

// The next thing told of the host that differs from what is known.
v1::WatchOrderResponse NextOf(WatchClient& watch, const std::string& host_id) {
  while (const auto response = watch.Read()) {
    if (response->outcome().host_id() == host_id) return *response;
  }
  return {};
}

TEST(ServerWatchOrder, TellsEveryStepUntilAllHostsAreDone) {
  ServerBox box;
  const TestHost host = box.AddHost("a");
  const TestHost late = box.AddHost("b");
  const v1::Order order = box.IsolateHosts({host.id, late.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  const auto watch = Watch(box, order.order_id());
  EXPECT_EQ(NextOf(*watch, host.id).outcome().state(), v1::OrderOutcome::STATE_PENDING);

  const auto control = ConnectHost(host);
  EXPECT_EQ(NextOf(*watch, host.id).outcome().state(), v1::OrderOutcome::STATE_DELIVERED);
  v1::ControlRequest report;
  report.mutable_progress()->set_order_id(order.order_id());
  for (const uint64_t files : {10, 20}) {
    report.mutable_progress()->set_files_done(files);
    ASSERT_TRUE(control->Send(report));
    const v1::WatchOrderResponse running = NextOf(*watch, host.id);
    EXPECT_EQ(running.outcome().state(), v1::OrderOutcome::STATE_RUNNING);
    EXPECT_EQ(running.outcome().progress().files_done(), files);
    EXPECT_EQ(running.hosts(), 2U);
    EXPECT_EQ(running.finished(), 0U);
  }
  report.mutable_outcome()->set_order_id(order.order_id());
  report.mutable_outcome()->set_state(v1::OrderOutcome::STATE_DONE);
  ASSERT_TRUE(control->Send(report));
  EXPECT_EQ(NextOf(*watch, host.id).finished(), 1U);
  const auto other = ConnectHost(late);
  report.mutable_outcome()->set_state(v1::OrderOutcome::STATE_REFUSED);
  ASSERT_TRUE(other->Send(report));
  v1::WatchOrderResponse last;
  while (const auto response = watch->Read()) last = *response;
  EXPECT_EQ(last.finished(), 2U);
  EXPECT_EQ(last.outcome().state(), v1::OrderOutcome::STATE_REFUSED);
  EXPECT_THAT(watch->End(), IsOk());
}

TEST(ServerWatchOrder, EndsWhenTheLastOpenHostIsRevokedAndTheLogSaysSo) {
  ServerBox box;
  const TestHost done = box.AddHost("a");
  const TestHost lost = box.AddHost("b");
  const v1::Order order = box.IsolateHosts({done.id, lost.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  const auto watch = Watch(box, order.order_id());
  const auto control = ConnectHost(done);
  v1::ControlRequest report;
  report.mutable_outcome()->set_order_id(order.order_id());
  report.mutable_outcome()->set_state(v1::OrderOutcome::STATE_DONE);
  ASSERT_TRUE(control->Send(report));
  v1::WatchOrderResponse last;
  for (int i = 0; i < 10 && last.finished() < 1; ++i) last = NextOf(*watch, done.id);
  ASSERT_EQ(last.finished(), 1U) << "it waits for the other one";

  v1::RevokeHostRequest revoke;
  v1::RevokeHostResponse revoked;
  revoke.set_host_id(lost.id);
  revoke.set_reason("stolen");
  ASSERT_THAT(Call([&](auto* c) { return box.Operator().RevokeHost(c, revoke, &revoked); }), IsOk());
  while (const auto response = watch->Read()) last = *response;
  EXPECT_EQ(last.outcome().state(), v1::OrderOutcome::STATE_CANCELLED);
  EXPECT_EQ(last.finished(), 2U);
  EXPECT_THAT(watch->End(), IsOk());
  EXPECT_EQ(box.Audit().back().action(), "order.cancelled");
  EXPECT_EQ(box.Audit().back().subject(), order.order_id());
}

// A host says what it does with its own orders. What it says of another's reaches nobody.
TEST(ServerWatchOrder, AUT2_ProgressOfAHostThatTheOrderDoesNotMeanIsNotTold) {
  ServerBox box;
  const TestHost meant = box.AddHost("a");
  const TestHost liar = box.AddHost("b");
  const v1::Order order = box.IsolateHosts({meant.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  const auto watch = Watch(box, order.order_id());
  ASSERT_EQ(NextOf(*watch, meant.id).outcome().state(), v1::OrderOutcome::STATE_PENDING);
  v1::ControlRequest report;
  report.mutable_progress()->set_order_id(order.order_id());
  const auto lies = ConnectHost(liar);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(lies->Send(report));
  v1::ControlRequest beat;
  beat.mutable_heartbeat()->set_id(1);
  ASSERT_TRUE(lies->Send(beat));
  ASSERT_TRUE(lies->Read().has_value()) << "all before it was dealt with";
  const auto control = ConnectHost(meant);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(control->Send(report));
  report.mutable_outcome()->set_order_id(order.order_id());
  report.mutable_outcome()->set_state(v1::OrderOutcome::STATE_DONE);
  ASSERT_TRUE(control->Send(report));
  while (const auto response = watch->Read()) {
    EXPECT_EQ(response->outcome().host_id(), meant.id);
    EXPECT_EQ(response->hosts(), 1U);
  }
  EXPECT_THAT(watch->End(), IsOk());
}

// What the controller took for final is not, when the host says that it runs.
TEST(ServerWatchOrder, CountsAHostOnceThatRunsWhatHadExpired) {
  ServerBox box;
  const TestHost late = box.AddHost("a");
  const TestHost other = box.AddHost("b");
  const v1::Order order = box.IsolateHosts({late.id, other.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  const auto watch = Watch(box, order.order_id());
  v1::ControlRequest running;
  running.mutable_progress()->set_order_id(order.order_id());
  v1::ControlRequest done;
  done.mutable_outcome()->set_order_id(order.order_id());
  done.mutable_outcome()->set_state(v1::OrderOutcome::STATE_DONE);
  const auto reach = [&](const std::string& host_id, v1::OrderOutcome::State state) {
    v1::WatchOrderResponse response = NextOf(*watch, host_id);
    while (response.hosts() > 0 && response.outcome().state() != state) response = NextOf(*watch, host_id);
    return response;
  };
  const auto early = ConnectHost(other);
  ASSERT_TRUE(early->Send(running));
  ASSERT_EQ(reach(other.id, v1::OrderOutcome::STATE_RUNNING).finished(), 0U);
  box.Time().Advance(order.expiry_unix_nanos() - box.Time().WallNanos() + kNanosPerSecond);
  ASSERT_EQ(reach(late.id, v1::OrderOutcome::STATE_EXPIRED).finished(), 1U);

  const auto control = ConnectHost(late);
  ASSERT_TRUE(control->Send(running));
  EXPECT_EQ(reach(late.id, v1::OrderOutcome::STATE_RUNNING).finished(), 0U);
  ASSERT_TRUE(control->Send(done));
  EXPECT_EQ(reach(late.id, v1::OrderOutcome::STATE_DONE).finished(), 1U);
  const auto last = ConnectHost(other);
  ASSERT_TRUE(last->Send(done));
  EXPECT_EQ(reach(other.id, v1::OrderOutcome::STATE_DONE).finished(), 2U);
  EXPECT_THAT(watch->End(), IsOk());
}

TEST(ServerWatchOrder, EndsAtOnceWhenNobodyIsMeantAndWhenThereIsNoSuchOrder) {
  ServerBox box;
  const v1::Order order = box.IsolateHosts({NewUuid()});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  EXPECT_EQ(submitted.hosts(), 0U);
  EXPECT_THAT(Watch(box, order.order_id())->End(), IsOk());
  EXPECT_THAT(Watch(box, NewUuid())->End(), Fails(absl::StatusCode::kNotFound, "no order"));
}

TEST(ServerEvents, FollowGivesHistoryAndThenWhatIsCommitted) {
  ServerBox box;
  const TestHost host = box.AddHost();
  BatchChain chain(host.id);
  const auto telemetry = host.Telemetry();
  ASSERT_TRUE(telemetry->Read().has_value());
  const auto commit = [&](uint32_t pid) {
    v1::TelemetryRequest request;
    *request.mutable_batch() = chain.Next({StartedEvent(pid)});
    telemetry->Send(request);
    return telemetry->Read().has_value();
  };
  ASSERT_TRUE(commit(1));
  v1::QueryEventsRequest request;
  request.set_follow(true);
  ReadClient<v1::QueryEventsResponse> follow([&](auto* c) { return box.Operator().QueryEvents(c, request); });
  for (uint32_t pid = 1; pid <= 5; ++pid) {
    const auto event = follow.Read();
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->event().process_started().pid(), pid);
    EXPECT_EQ(event->host_id(), host.id);
    if (pid < 5) {
      ASSERT_TRUE(commit(pid + 1));
    }
  }
  request.set_follow(false);
  ReadClient<v1::QueryEventsResponse> once([&](auto* c) { return box.Operator().QueryEvents(c, request); });
  int events = 0;
  while (once.Read()) ++events;
  EXPECT_EQ(events, 5);
  EXPECT_THAT(once.End(), IsOk());
}

// What a client goes on with whose follow broke.
TEST(ServerEvents, AFollowGoesOnAfterAPlaceAndTellsTheSameHistoryOnceMore) {
  ServerBox box;
  const TestHost host = box.AddHost();
  BatchChain chain(host.id);
  const auto commit = [&](const std::vector<v1::Event>& events) {
    const std::vector<controller::HostBatch> group = {{host.id, chain.Next(events)}};
    Must(box.Store().CommitBatches(group));
  };
  commit({StartedEvent(1), StartedEvent(2), StartedEvent(3)});
  v1::QueryEventsRequest request;
  request.set_follow(true);
  request.set_places(true);
  const auto read = [&](size_t messages) {
    ReadClient<v1::QueryEventsResponse> follow(
        [&](auto* c) { return box.Operator().QueryEvents(c, request); });
    std::vector<v1::QueryEventsResponse> told;
    while (told.size() < messages) {
      const auto message = follow.Read();
      if (!message) throw std::runtime_error("the follow ended: " + std::string(Message(follow.End())));
      told.push_back(*message);
    }
    return told;
  };
  const auto pid = [](const v1::QueryEventsResponse& message) {
    return message.event().process_started().pid();
  };
  const std::vector<v1::QueryEventsResponse> first = read(4);
  EXPECT_FALSE(first[0].has_event()) << "it says where it stands";
  const uint64_t history = first[0].place().batch();
  EXPECT_EQ(first[2].place().batch(), history);
  EXPECT_EQ(first[2].place().index(), 1U);

  commit({StartedEvent(4)});
  request.set_history_position(history);
  request.set_limit(2);
  const std::vector<v1::QueryEventsResponse> again = read(4);
  EXPECT_EQ(pid(again[1]), 2U) << "the newest two of what was the history then";
  EXPECT_EQ(pid(again[3]), 4U) << "and then what came";
  EXPECT_GT(again[3].place().batch(), history);

  request.clear_history_position();
  *request.mutable_after() = first[2].place();
  const std::vector<v1::QueryEventsResponse> rest = read(3);
  EXPECT_FALSE(rest[0].has_event());
  EXPECT_EQ(pid(rest[1]), 3U) << "the rest of the batch";
  EXPECT_EQ(pid(rest[2]), 4U);

  const auto refusal = [&] {
    return ReadClient<v1::QueryEventsResponse>(
               [&](auto* c) { return box.Operator().QueryEvents(c, request); })
        .End();
  };
  request.mutable_after()->set_batch(1'000);
  EXPECT_THAT(refusal(), Fails(absl::StatusCode::kOutOfRange, "was put back from an older copy"));
  request.mutable_after()->set_batch(UINT64_MAX);
  EXPECT_THAT(refusal(), Fails(kInvalid, "after.batch"));
  request.set_follow(false);
  EXPECT_THAT(refusal(), Fails(kInvalid, "for follow only"));
}

TEST(ServerEvents, ABadRangeOrTargetIsRefused) {
  ServerBox box;
  const auto refusal = [&](const v1::QueryEventsRequest& request) {
    return ReadClient<v1::QueryEventsResponse>(
               [&](auto* c) { return box.Operator().QueryEvents(c, request); })
        .End();
  };
  v1::QueryEventsRequest range;
  range.set_since_unix_nanos(10);
  range.set_until_unix_nanos(10);
  EXPECT_THAT(refusal(range), Fails(kInvalid, "until_unix_nanos"));
  v1::QueryEventsRequest target;
  target.mutable_target()->add_hosts();
  EXPECT_THAT(refusal(target), Fails(kInvalid, "target.hosts"));
  EXPECT_THAT(refusal({}), IsOk());  // the positive control
}

TEST(ServerPollHealth, TellsOfEachHostWhetherItAnswered) {
  ServerBox box;
  const TestHost answers = box.AddHost("answers");
  const TestHost silent = box.AddHost("silent");
  const TestHost offline = box.AddHost("offline");
  const auto control = ConnectHost(answers);
  const auto mute = ConnectHost(silent);
  v1::PollHealthRequest request;
  request.set_timeout_nanos(5 * kNanosPerSecond);
  request.set_prove(true);
  ReadClient<v1::PollHealthResponse> poll([&](auto* c) { return box.Operator().PollHealth(c, request); });
  const auto asked = control->Read();
  ASSERT_TRUE(asked.has_value() && asked->has_health_poll());
  EXPECT_TRUE(asked->health_poll().prove());
  v1::ControlRequest answer;
  answer.mutable_health()->set_poll_id(asked->health_poll().poll_id());
  answer.mutable_health()->mutable_report()->set_agent_version("test");
  ASSERT_TRUE(control->Send(answer));
  ASSERT_TRUE(control->Send(answer));  // a second answer says nothing new
  std::map<std::string, v1::PollHealthResponse> by_host;
  int responses = 0;
  while (const auto response = poll.Read()) {
    ++responses;
    by_host[response->host().host_id()] = *response;
    EXPECT_EQ(response->hosts(), 3U);
  }
  EXPECT_EQ(responses, 3);
  EXPECT_TRUE(by_host[answers.id].answered());
  EXPECT_EQ(by_host[answers.id].report().agent_version(), "test");
  EXPECT_GT(by_host[answers.id].round_trip_nanos(), 0);
  EXPECT_FALSE(by_host[silent.id].answered());
  EXPECT_EQ(by_host[silent.id].error(), "no answer in 5s");
  EXPECT_FALSE(by_host[offline.id].answered());
  EXPECT_THAT(by_host[offline.id].error(), HasSubstr("not connected"));
  EXPECT_THAT(poll.End(), IsOk());
  request.set_timeout_nanos(61 * kNanosPerSecond);
  EXPECT_THAT(ReadClient<v1::PollHealthResponse>([&](auto* c) {
                return box.Operator().PollHealth(c, request);
              }).End(),
              Fails(kInvalid, "timeout_nanos"));
}

// `end`: what the controller signs of it.
std::vector<v1::AuditEntry> ExportAudit(ServerBox& box, uint64_t from_index, v1::AuditCheckpoint* end) {
  v1::ExportAuditRequest request;
  request.set_from_index(from_index);
  ReadClient<v1::ExportAuditResponse> log([&](auto* c) { return box.Operator().ExportAudit(c, request); });
  std::vector<v1::AuditEntry> entries;
  v1::SignedCheckpoint signed_end;
  while (const auto response = log.Read()) {
    if (response->has_entry()) entries.push_back(response->entry());
    if (response->has_checkpoint()) signed_end = response->checkpoint();
  }
  Must(log.End());
  *end = Must(VerifyCheckpoint(signed_end, box.Ca().AuditLogPublicKey(), box.Fleet().FleetId()));
  return entries;
}

TEST(ServerAudit, IsExportedAsAChainThatCanBeCheckedOffline) {
  ServerBox box;
  const TestHost host = box.AddHost();
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(box.IsolateHosts({host.id})), &submitted), IsOk());
  v1::AuditCheckpoint end;
  const std::vector<v1::AuditEntry> log = ExportAudit(box, 0, &end);
  EXPECT_THAT(VerifyAudit(log), IsOk());
  MerkleWalk tree;
  for (const v1::AuditEntry& entry : log) tree.Add(entry.hash());
  EXPECT_EQ(end.size(), log.size());
  EXPECT_EQ(end.root_sha256(), tree.Root());
  std::vector<std::string> actions;
  for (const v1::AuditEntry& entry : log) actions.push_back(entry.action());
  EXPECT_THAT(actions, ElementsAre("fleet.create", "enrollment.create", "host.enroll", "order.submit",
                                   "audit.export"));
  const std::string alex = "operator/" + box.Fleet().OperatorId();
  EXPECT_EQ(log[1].actor(), alex);
  EXPECT_EQ(log[3].actor(), alex);
  const std::vector<v1::AuditEntry> rest = ExportAudit(box, 4, &end);
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(end.size(), rest.back().index());
  EXPECT_EQ(rest[0].index(), 4U);
  AuditChainCheck check(log[2].index(), log[2].hash());
  for (const v1::AuditEntry& entry : rest) EXPECT_THAT(check.Next(entry), IsOk());
}

TEST(ServerHealth, StockToolsGetHealthWithAnyCertificateOfTheFleetAndReflectionWithAnOperators) {
  ServerBox box;
  const auto of_operator = box.Connect(box.OperatorTls());
  const auto of_host = box.Connect(box.AddHost().tls);
  EXPECT_EQ(AskHealth(of_operator), "\x08\x01");
  EXPECT_EQ(AskHealth(of_host), "\x08\x01");
  EXPECT_THAT(ListServices(of_operator),
              IsSupersetOf({"cordon.v1.AgentGateway", "cordon.v1.Operator", "grpc.health.v1.Health"}));
  EXPECT_THAT(ListServices(of_host), ::testing::IsEmpty()) << "each call holds a thread";
  EXPECT_EQ(AskHealth(box.Connect({box.Ca().CaPem(), "", ""})), "error 14");
}

}  // namespace
}  // namespace cordon::testing
