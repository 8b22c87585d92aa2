// A controller under attack, by hosts that misbehave and by strangers: who does is slowed and named, others
// do not notice, and when it is over everything is as before (AUT-6). Each test shows first that what it
// takes away was there.

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/base/sanitizer.h"
#include "platform/api/system.h"
#include "tests/support/crowd.h"
#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_batches.h"

namespace cordon::testing {
namespace {

using std::chrono::steady_clock;

bool IsNamed(ServerBox& box, const std::string& id, const std::string& what,
             const std::string& action = "host.held_back") {
  for (int i = 0; i < 100; ++i) {
    const std::vector<v1::AuditEntry> log = box.Audit();
    if (std::ranges::any_of(log, [&](const v1::AuditEntry& entry) {
          return entry.action() == action && entry.subject() == id &&
                 entry.detail().find(what) != std::string::npos;
        })) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

// Sends `count` batches, each when the one before is acknowledged.
std::chrono::duration<double> SendBatches(TelemetryClient& stream, BatchChain& chain, int count) {
  const auto began = steady_clock::now();
  for (int i = 0; i < count; ++i) {
    v1::TelemetryRequest request;
    *request.mutable_batch() = chain.Next({StartedEvent(static_cast<uint32_t>(i))});
    if (!stream.Send(request)) throw std::runtime_error("a batch was not taken");
    const auto answer = stream.Read();
    if (!answer || !answer->has_acknowledgement()) throw std::runtime_error("a batch was not acknowledged");
  }
  return steady_clock::now() - began;
}

TEST(ControllerUnderAttack, AUT6_AHostThatSendsTooMuchIsSlowedAndNamedAndOthersAreNot) {
  controller::ServerOptions options;
  options.host_limits.messages = {.per_second = 10, .burst = 20};
  ServerBox box(options);
  const TestHost noisy = box.AddHost("noisy");
  const TestHost calm = box.AddHost("calm");
  BatchChain noisy_chain(noisy.id);
  BatchChain calm_chain(calm.id);
  const auto noisy_stream = noisy.Telemetry();
  const auto calm_stream = calm.Telemetry();
  ASSERT_TRUE(noisy_stream->Read()->has_position());
  ASSERT_TRUE(calm_stream->Read()->has_position());

  SendBatches(*noisy_stream, noisy_chain, 15);
  EXPECT_FALSE(IsNamed(box, noisy.id, "")) << "within its burst";
  // 20 more than the burst, 10 a second: nothing is lost, and it takes the time that it should.
  EXPECT_GT(SendBatches(*noisy_stream, noisy_chain, 40).count(), 1.5);
  EXPECT_TRUE(IsNamed(box, noisy.id, "it sends more messages than a host may"));
  EXPECT_EQ(Must(box.Store().PositionOf(noisy.id)).acknowledged_sequence, 55U);

  SendBatches(*calm_stream, calm_chain, 15);
  EXPECT_EQ(Must(box.Store().PositionOf(calm.id)).acknowledged_sequence, 15U);
  EXPECT_FALSE(IsNamed(box, calm.id, ""));
}

TEST(ControllerUnderAttack, AUT6_AHostGetsNoMoreStreamsThanItMay) {
  controller::ServerOptions options;
  options.host_limits.streams = 3;
  ServerBox box(options);
  const TestHost greedy = box.AddHost("greedy");
  const TestHost other = box.AddHost("other");
  std::vector<std::unique_ptr<TelemetryClient>> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(greedy.Telemetry());
    ASSERT_TRUE(streams.back()->Read()->has_position());
  }
  EXPECT_THAT(greedy.Telemetry()->End(),
              Fails(absl::StatusCode::kResourceExhausted, "too many streams open"));
  EXPECT_TRUE(IsNamed(box, greedy.id, "it opens more than 3 streams"));
  EXPECT_TRUE(other.Telemetry()->Read()->has_position());
  // One that ends makes room.
  EXPECT_THAT(streams.front()->HangUp(), IsOk());
  bool room = false;
  for (int i = 0; i < 200 && !room; ++i) {  // the host may hear of the end before the server has counted it
    const auto again = greedy.Telemetry();
    room = again->Read().has_value();
    if (!room) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(room);
}

// Each costs a signature, a write or an entry in the audit log, which nobody can take out again.
TEST(ControllerUnderAttack, AUT6_AHostThatRenewsAndConnectsAllTheTimeFillsNoLog) {
  controller::ServerOptions options;
  options.host_limits.renewals = {.per_second = 0.001, .burst = 5};
  options.host_limits.openings = {.per_second = 0.001, .burst = 20};
  ServerBox box(options);
  const TestHost busy = box.AddHost("busy");
  const TestHost other = box.AddHost("other");
  const size_t before = box.Audit().size();
  const KeyPtr key = Must(NewTlsKey());
  v1::RenewRequest request;
  request.set_csr_der(Must(MakeCsrDer(*key)));
  v1::RenewResponse response;
  const auto renew = [&](const TestHost& host) {
    return Call([&](auto* c) { return host.gateway->Renew(c, request, &response); });
  };
  int refused = 0;
  for (int i = 0; i < 200; ++i) refused += renew(busy).code() == absl::StatusCode::kResourceExhausted ? 1 : 0;
  EXPECT_EQ(refused, 195);
  refused = 0;
  std::unique_ptr<ControlClient> last;
  for (int i = 0; i < 200; ++i) {
    auto control = busy.Control();
    control->Send(HelloOf(i % 2 == 0 ? "one" : "other"));
    if (control->Read().has_value()) {
      last = std::move(control);
    } else {
      refused += control->End().code() == absl::StatusCode::kResourceExhausted ? 1 : 0;
    }
  }
  EXPECT_EQ(refused, 180);
  EXPECT_TRUE(IsNamed(box, busy.id, "more often than a host may"));
  EXPECT_LT(box.Audit().size(), before + 20);
  EXPECT_THAT(renew(other), IsOk());
  const auto calm = other.Control();
  calm->Send(HelloOf("other"));
  EXPECT_TRUE(calm->Read().has_value());
}

TEST(ControllerUnderAttack, AUT6_AHostBeginsNoMoreChainsThanItMay) {
  controller::ServerOptions options;
  options.host_limits.chains = {.per_second = 0.001, .burst = 3};
  ServerBox box(options);
  const TestHost host = box.AddHost();
  const auto begin = [&] {
    BatchChain chain(host.id);
    const auto stream = host.Telemetry();
    stream->Read();
    v1::TelemetryRequest request;
    *request.mutable_batch() = chain.Next({StartedEvent(1)});
    stream->Send(request);
    const auto answer = stream->Read();
    return answer.has_value() && answer->has_acknowledgement() ? absl::OkStatus() : stream->End();
  };
  for (int i = 0; i < 4; ++i) EXPECT_THAT(begin(), IsOk()) << "its first one, and three more";
  const size_t before = box.Audit().size();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(begin(), Fails(absl::StatusCode::kResourceExhausted, "more often"));
  EXPECT_LE(box.Audit().size(), before + 1);
}

TEST(ControllerUnderAttack, AUT6_AFloodOfConnectionsFromOneSourceDoesNotReachTls) {
  controller::ServerOptions options;
  options.door_limits.per_source = {.per_second = 1, .burst = 20};
  ServerBox box(options);
  const Crowd crowd({.source = "127.0.0.2", .to = "127.0.0.1", .port = box.Server().Port(), .count = 300});
  EXPECT_GE(crowd.Open(), 20);  // the burst: it did get through before
  EXPECT_LE(crowd.Open(), 60);
  EXPECT_GE(crowd.Refused(), 240);
  box.AddHost();  // from 127.0.0.1: connects, enrols
}

// Each takes a descriptor for as long as it likes, with any certificate of the fleet.
TEST(ControllerUnderAttack, AUT6_AConnectionThatNobodyCallsOnIsClosed) {
  ServerBox box({.idle_connection_nanos = kNanosPerSecond});
  const TestHost host = box.AddHost();
  const auto control = host.Control();
  ASSERT_TRUE(control->Send(HelloOf("reception-1")));
  ASSERT_TRUE(control->Read()->has_welcome());
  const auto idle = box.Connect(host.tls);
  const auto soon = std::chrono::system_clock::now() + std::chrono::seconds(10);
  ASSERT_TRUE(idle->WaitForConnected(soon));
  EXPECT_TRUE(idle->WaitForStateChange(GRPC_CHANNEL_READY, soon));
  v1::ControlRequest beat;
  beat.mutable_heartbeat()->set_id(7);
  ASSERT_TRUE(control->Send(beat));
  const auto answer = control->Read();
  ASSERT_TRUE(answer.has_value()) << "a host that says nothing is no such connection";
  EXPECT_EQ(answer->heartbeat_ack().id(), 7U);
}

// Each query holds a thread for as long as its reader likes.
TEST(ControllerUnderAttack, AUT6_OneOperatorsQueriesLeaveRoomForOthers) {
  ServerBox box;
  v1::QueryEventsRequest query;
  query.set_follow(true);
  query.set_places(true);  // so that there is an answer at once
  using Follow = ReadClient<v1::QueryEventsResponse>;
  const auto open = [&](v1::Operator::Stub& stub) {
    return std::make_unique<Follow>([&](auto* context) { return stub.QueryEvents(context, query); });
  };
  std::vector<std::unique_ptr<Follow>> greedy;
  int taken = 0;
  for (int i = 0; i < 20; ++i) {
    greedy.push_back(open(box.Operator()));
    taken += greedy.back()->Read().has_value() ? 1 : 0;
  }
  EXPECT_EQ(taken, 4);
  EXPECT_THAT(greedy.back()->End(), Fails(absl::StatusCode::kResourceExhausted, "at once"));
  const auto other = box.OperatorStub(box.OperatorTls(NewUuid()));
  EXPECT_TRUE(open(*other)->Read().has_value());
}

// Whoever has an operator's certificate could hold a stream on each of very many connections.
TEST(ControllerUnderAttack, AUT6_AnOperatorGetsNoMoreStreamsThanOneMayOnAllConnectionsTogether) {
  controller::ServerOptions options;
  options.operator_streams = 3;
  ServerBox box(options);
  const TestHost host = box.AddHost();
  const v1::Order order = box.IsolateHosts({host.id});
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  v1::WatchOrderRequest request;
  request.set_order_id(order.order_id());
  using Watch = ReadClient<v1::WatchOrderResponse>;
  struct Watcher {  // with a connection of its own
    std::unique_ptr<v1::Operator::Stub> stub;
    std::unique_ptr<Watch> stream;
  };
  const auto watch = [&](const TlsIdentity& tls) {
    Watcher watcher{box.OperatorStub(tls), nullptr};
    watcher.stream =
        std::make_unique<Watch>([&](auto* context) { return watcher.stub->WatchOrder(context, request); });
    return watcher;
  };
  const std::string greedy = NewUuid();
  const TlsIdentity tls = box.OperatorTls(greedy);
  std::vector<Watcher> watchers;
  for (int i = 0; i < 3; ++i) {
    watchers.push_back(watch(tls));
    ASSERT_TRUE(watchers.back().stream->Read().has_value());
  }
  EXPECT_THAT(watch(tls).stream->End(), Fails(absl::StatusCode::kResourceExhausted,
                                              StrCat("operator ", greedy, " has too many streams")));
  EXPECT_TRUE(IsNamed(box, greedy, "it opens more than 3 streams", "operator.held_back"));
  EXPECT_TRUE(watch(box.OperatorTls(NewUuid())).stream->Read().has_value()) << "another operator";
  // One that ends makes room.
  watchers.pop_back();
  bool room = false;
  for (int i = 0; i < 200 && !room; ++i) {
    const Watcher again = watch(tls);
    room = again.stream->Read().has_value();
    if (!room) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(room);
}

TEST(ControllerUnderAttack, AUT6_OperatorsWhoDoNotReadHoldNobodyUp) {
  ServerBox box;
  const TestHost host = box.AddHost();
  BatchChain chain(host.id);
  const auto stream = host.Telemetry();
  ASSERT_TRUE(stream->Read()->has_position());
  SendBatches(*stream, chain, 50);
  v1::QueryEventsRequest query;
  query.set_follow(true);
  std::vector<std::unique_ptr<v1::Operator::Stub>> operators;
  std::vector<std::unique_ptr<ReadClient<v1::QueryEventsResponse>>> deaf;
  for (int i = 0; i < 12; ++i) {
    if (i % 4 == 0) operators.push_back(box.OperatorStub(box.OperatorTls(NewUuid())));  // each has four
    deaf.push_back(std::make_unique<ReadClient<v1::QueryEventsResponse>>(
        [&](auto* context) { return operators.back()->QueryEvents(context, query); }));
  }
  SendBatches(*stream, chain, 50);
  v1::SubmitOrderResponse submitted;
  EXPECT_THAT(box.Submit(box.Signed(box.IsolateHosts({host.id})), &submitted), IsOk());
  EXPECT_TRUE(deaf.front()->Read().has_value()) << "and who reads late still gets it";
}

// Two bytes on the wire are a hundred in memory: a call of 5 MiB would take some hundred megabytes, and a
// stream keeps them for as long as it stands.
TEST(ControllerUnderAttack, AUT6_AnOperatorsRequestIsJudgedBeforeItIsParsed) {
  ServerBox box;
  const TestHost host = box.AddHost();
  v1::Target many;
  for (int i = 0; i < 1'000'000; ++i) many.add_hosts();
  v1::Target one;
  one.add_hosts()->set_host_id(host.id);
  const auto list = [&](const v1::Target& target) {
    v1::ListHostsRequest request;
    *request.mutable_target() = target;
    v1::ListHostsResponse response;
    return Call([&](auto* context) { return box.Operator().ListHosts(context, request, &response); });
  };
  EXPECT_THAT(list(one), IsOk()) << "the positive control";
  EXPECT_THAT(list(many), Fails(absl::StatusCode::kInvalidArgument, "parts"));
  const auto query = [&](const v1::Target& target) {
    v1::QueryEventsRequest request;
    *request.mutable_target() = target;
    return ReadClient<v1::QueryEventsResponse>(
               [&](auto* context) { return box.Operator().QueryEvents(context, request); })
        .End();
  };
  EXPECT_THAT(query(one), IsOk());
  EXPECT_THAT(query(many), Fails(absl::StatusCode::kInvalidArgument, "parts"));
  // And what has no business with so many bytes gets none of them.
  v1::RevokeHostRequest revoke;
  revoke.set_host_id(host.id);
  revoke.set_reason(std::string(100'000, 'x'));
  v1::RevokeHostResponse revoked;
  EXPECT_THAT(Call([&](auto* context) { return box.Operator().RevokeHost(context, revoke, &revoked); }),
              Fails(absl::StatusCode::kInvalidArgument, "the request has"));
  v1::WatchOrderRequest watch;
  watch.set_order_id(std::string(100'000, 'x'));
  EXPECT_THAT(ReadClient<v1::WatchOrderResponse>([&](auto* context) {
                return box.Operator().WatchOrder(context, watch);
              }).End(),
              Fails(absl::StatusCode::kInvalidArgument, "the request has"));
}

// gRPC inflates a message before it looks at its size: 4 KB on the wire would stand for 4 MB, and as many
// more as the sender likes.
TEST(ControllerUnderAttack, AUT6_WhatAPeerCompressedIsNotInflated) {
  ServerBox box;
  v1::ListHostsRequest request;  // with a field that this version does not know
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(99,
                                                                              std::string(4'000'000, 'x'));
  v1::ListHostsResponse response;
  EXPECT_THAT(Call([&](auto* context) { return box.Operator().ListHosts(context, request, &response); }),
              IsOk())
      << "the positive control";
  EXPECT_THAT(Call([&](auto* context) {
                context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
                return box.Operator().ListHosts(context, request, &response);
              }),
              Fails(absl::StatusCode::kUnimplemented, ""));
  // Nor on the stream that takes bytes, where nothing but gRPC's own look at the header stands before them.
  const TestHost host = box.AddHost();
  ControlClient control([&](grpc::ClientContext* context) {
    context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    return host.gateway->Control(context);
  });
  control.Send(HelloOf("reception-1"));
  EXPECT_FALSE(control.Read().has_value());
}

// A scan with rules for a site whose lines are slow: the hosts' copies wait in the controller.
TEST(ControllerUnderAttack, AUT6_AnOrderForHostsThatDoNotReadIsInMemoryOnce) {
  constexpr size_t kHosts = 64;
  constexpr size_t kRules = 3 * 1024 * 1024;
  ServerBox box;
  std::vector<TestHost> hosts;
  std::vector<std::unique_ptr<ControlClient>> streams;
  std::vector<std::string> ids;
  for (size_t i = 0; i < kHosts; ++i) {
    hosts.push_back(box.AddHost(StrCat("surgery-", i)));
    ids.push_back(hosts.back().id);
    streams.push_back(hosts.back().Control());
    ASSERT_TRUE(streams.back()->Send(HelloOf(StrCat("surgery-", i))));
    ASSERT_TRUE(streams.back()->Read()->has_welcome());
  }
  v1::Order order = box.IsolateHosts(ids);
  v1::RuleFile& rules = *order.mutable_scan()->mutable_spec()->mutable_indicators()->add_yara();
  rules.set_name("rules.yar");
  rules.set_content(std::string(kRules, ' '));
  const uint64_t before = platform::ReadOwnResourceUse().resident_bytes;
  v1::SubmitOrderResponse submitted;
  ASSERT_THAT(box.Submit(box.Signed(order), &submitted), IsOk());
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const uint64_t grown = platform::ReadOwnResourceUse().resident_bytes - before;
#if !defined(CORDON_ADDRESS_SANITIZER)  // which keeps what was freed
  EXPECT_LT(grown, kHosts * kRules / 3) << "the hosts' ends of the connections are in it as well";
#else
  EXPECT_LT(grown, kHosts * kRules);
#endif
  // All of them get it, when they read.
  for (const auto& stream : streams) {
    const auto message = stream->Read();
    ASSERT_TRUE(message.has_value());
    ASSERT_TRUE(message->has_order());
    EXPECT_TRUE(message->has_audit());
    EXPECT_EQ(message->order().order(), order.SerializeAsString());
  }
}

}  // namespace
}  // namespace cordon::testing
