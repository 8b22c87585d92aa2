// AUT-4: the vocabulary of orders is closed. No remote shell, no "run this", no plugin; what a host does not
// know has no effect on it, and it says so.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/link/local_server.h"
#include "agent/orders/order_gate.h"
#include "common/wire/order.h"
#include "cordon/v1/local.pb.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/raw_call.h"
#include "tests/support/spool_box.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_orders.h"

namespace cordon {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::IsolateOrder;
using testing::Must;
using testing::TestOperator;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(Vocabulary, AUT4_AnOrderCanAskForTheseActionsAndNoOther) {
  std::map<int, std::string> actions;
  const google::protobuf::OneofDescriptor& action = *v1::Order::descriptor()->FindOneofByName("action");
  for (int i = 0; i < action.field_count(); ++i) {
    actions[action.field(i)->number()] = action.field(i)->message_type()->full_name();
  }
  EXPECT_EQ(actions, (std::map<int, std::string>{{10, "cordon.v1.IsolateAction"},
                                                 {11, "cordon.v1.ReleaseAction"},
                                                 {12, "cordon.v1.ScanAction"},
                                                 {13, "cordon.v1.CancelScanAction"},
                                                 {14, "cordon.v1.PolicyAction"},
                                                 {16, "cordon.v1.TrustAction"},
                                                 {17, "cordon.v1.PauseScanAction"}}));
  // Nothing beside the action can ask for anything.
  std::set<std::string> others;
  for (int i = 0; i < v1::Order::descriptor()->field_count(); ++i) {
    const auto* field = v1::Order::descriptor()->field(i);
    if (field->containing_oneof() == nullptr) others.insert(field->name());
  }
  EXPECT_EQ(others, (std::set<std::string>{"order_id", "fleet_id", "target", "not_before_unix_nanos",
                                           "expiry_unix_nanos", "sequence", "reason", "incident"}));
}

// The one way down from controller to host carries these messages.
TEST(Vocabulary, AUT4_AControllerCanSendTheseMessagesAndNoOther) {
  std::set<std::string> messages;
  for (int i = 0; i < v1::ControlResponse::descriptor()->field_count(); ++i) {
    messages.insert(v1::ControlResponse::descriptor()->field(i)->message_type()->name());
  }
  EXPECT_EQ(messages, (std::set<std::string>{"Welcome", "HeartbeatAck", "SignedOrder", "HealthPoll",
                                             "RehearsalRequest", "InboundProbeSent", "AuditProof"}));
}

// `order` with the field 99 in the message that `at` finds in it.
v1::Order WithUnknownField(v1::Order order, const std::function<google::protobuf::Message*(v1::Order&)>& at) {
  google::protobuf::Message* message = at(order);
  message->GetReflection()->MutableUnknownFields(message)->AddLengthDelimited(99, "rm -rf /");
  return order;
}

TEST(Vocabulary, AUT4_AnUnknownActionOrFieldIsRefusedAndNamed) {
  const v1::Order good = IsolateOrder(NewUuid());
  EXPECT_THAT(CheckOrder(good), IsOk());  // the positive control
  v1::Order none = good;
  none.clear_isolate();
  EXPECT_THAT(CheckOrder(none), Fails(kInvalid, "action: missing, or not known to this version"));
  EXPECT_THAT(CheckOrder(WithUnknownField(none, [](v1::Order& o) { return &o; })),
              Fails(kInvalid, "field 99"));
  EXPECT_THAT(CheckOrder(WithUnknownField(good, [](v1::Order& o) { return &o; })),
              Fails(kInvalid, "field 99"));
  EXPECT_THAT(CheckOrder(WithUnknownField(good, [](v1::Order& o) { return o.mutable_isolate(); })),
              Fails(kInvalid, "isolate: field 99"));
  EXPECT_THAT(
      CheckOrder(WithUnknownField(good, [](v1::Order& o) { return o.mutable_target()->mutable_hosts(0); })),
      Fails(kInvalid, "target: hosts: field 99"));
}

class RecordingHandler final : public agent::OrderHandler {
 public:
  absl::StatusOr<v1::Receipt> Isolate(const v1::IsolateAction& /*action*/, const std::string& /*order_id*/,
                                      uint64_t /*sequence*/) override {
    return Record("isolate", v1::Receipt());
  }
  absl::StatusOr<v1::Receipt> Release(const v1::ReleaseAction& /*action*/, const std::string& /*order_id*/,
                                      uint64_t /*sequence*/) override {
    return Record("release", v1::Receipt());
  }
  v1::LaneState IsolationLane() override { return lane; }
  uint64_t TimesIsolatedByItself() override { return 0; }
  v1::Level LevelMeant() override { return v1::LEVEL_OBSERVE; }
  v1::Receipt IsolationReceipt() override { return {}; }
  absl::Status FindScan(const std::string& /*scan_order_id*/) override { return absl::OkStatus(); }
  void EndScan(const std::string& /*scan_order_id*/) override {}
  absl::Status Scan(const std::string& /*order_id*/, const v1::ScanSpec& /*spec*/) override {
    return Record("scan", absl::OkStatus());
  }
  absl::Status CancelScan(const std::string& /*scan_order_id*/) override {
    return Record("cancel", absl::OkStatus());
  }
  absl::Status PauseScan(const std::string& /*scan_order_id*/) override {
    return Record("pause", absl::OkStatus());
  }
  absl::Status ResumeScan(const std::string& /*scan_order_id*/) override {
    return Record("resume", absl::OkStatus());
  }
  absl::Status SetPolicy(const v1::Policy* /*policy*/) override { return Record("policy", absl::OkStatus()); }

  std::vector<std::string> effects;
  v1::LaneState lane;

 private:
  template <typename T>
  T Record(const std::string& effect, T result) {
    effects.push_back(effect);
    return result;
  }
};

// A host's gate, whose operator alex may order everything alone.
class GateOfAHost : public ::testing::Test {
 protected:
  GateOfAHost() {
    Trust(alex_,
          {v1::TrustedOperator::ROLE_ISOLATE, v1::TrustedOperator::ROLE_SCAN,
           v1::TrustedOperator::ROLE_POLICY, v1::TrustedOperator::ROLE_TRUST},
          &bundle_);
    v1::SignedTrustBundle root;
    root.set_bundle(bundle_.SerializeAsString());
    trust_.emplace(folder_.Path(), root);
    gate_.emplace(HostTraits{host_, "reception-1", "leeds", {}}, *trust_, witness_,
                  agent::OrderGate::Parts{clock_,
                                          sink_,
                                          *lanes_,
                                          handler_,
                                          [this](const v1::OrderOutcome& outcome) { outcome_ = outcome; },
                                          {},
                                          [this](const v1::OrderOutcome& word, std::function<void()> then) {
                                            last_words_.push_back(word);
                                            then_ = std::move(then);
                                          }});
  }

  v1::Order OrderFor(const std::function<void(v1::Order&)>& act) {
    v1::Order order = testing::BasicOrder(fleet_);
    order.mutable_target()->mutable_hosts(0)->set_host_id(host_);
    order.set_sequence(static_cast<uint64_t>(clock_.WallNanos() / 1'000) + ++orders_);
    order.set_not_before_unix_nanos(clock_.WallNanos());
    order.set_expiry_unix_nanos(clock_.WallNanos() + testing::TestFleet::kHour);
    act(order);
    return order;
  }
  void Handle(const v1::Order& order) { gate_->Handle(testing::SignedBy(order, {&alex_}), {}); }

  // Without effect, with an answer and with an event that say why.
  void ExpectRefused(const v1::Order& order, const std::string& why) {
    outcome_.Clear();
    handler_.effects.clear();
    const size_t events = sink_.Events().size();
    Handle(order);
    EXPECT_THAT(handler_.effects, IsEmpty());
    EXPECT_EQ(outcome_.state(), v1::OrderOutcome::STATE_REFUSED);
    EXPECT_EQ(outcome_.order_id(), order.order_id());
    EXPECT_THAT(outcome_.message(), HasSubstr(why));
    ASSERT_EQ(sink_.Events().size(), events + 1);
    EXPECT_EQ(sink_.Events().back().event_class, v1::EVENT_CLASS_CONTROL);
    EXPECT_EQ(sink_.Events().back().event.order_outcome().order_id(), order.order_id());
  }

  const std::string fleet_ = NewUuid();
  const std::string host_ = NewUuid();
  const TestOperator alex_;
  v1::TrustBundle bundle_ = testing::EmptyBundle(fleet_);
  testing::SpoolBox spool_;  // makes agent.db
  testing::FakeClock clock_{WallNowNanos()};
  testing::RecordingSink sink_;
  RecordingHandler handler_;
  std::unique_ptr<agent::LaneStore> lanes_ = Must(agent::LaneStore::Open(spool_.Settings().file, clock_));
  v1::OrderOutcome outcome_;
  std::vector<v1::OrderOutcome> last_words_;
  std::function<void()> then_;  // after the last one
  testing::TempFolder folder_;
  std::optional<agent::TrustChain> trust_;
  agent::AuditWitness witness_{folder_.Path()};
  std::optional<agent::OrderGate> gate_;
  uint64_t orders_ = 0;
};

void ActRelease(v1::Order& order) {
  order.mutable_release();
}

TEST_F(GateOfAHost, AUT4_AKnownOrderHasItsEffect) {  // the positive control of those below
  Handle(OrderFor(ActRelease));
  Handle(OrderFor([](v1::Order& o) { o.mutable_policy()->mutable_policy(); }));
  EXPECT_THAT(handler_.effects, ElementsAre("release", "policy"));
  EXPECT_EQ(outcome_.state(), v1::OrderOutcome::STATE_DONE);
}

TEST_F(GateOfAHost, AUT4_AnUnknownActionHasNone) {
  ExpectRefused(OrderFor([](v1::Order&) {}), "action: missing, or not known to this version");
  ExpectRefused(WithUnknownField(OrderFor([](v1::Order&) {}), [](v1::Order& o) { return &o; }), "field 99");
}

TEST_F(GateOfAHost, AUT4_AKnownActionWithSomethingUnknownHasNone) {
  ExpectRefused(WithUnknownField(OrderFor(ActRelease), [](v1::Order& o) { return &o; }), "field 99");
  ExpectRefused(WithUnknownField(OrderFor(ActRelease), [](v1::Order& o) { return o.mutable_release(); }),
                "release: field 99");
}

void ActIsolate(v1::Order& order, v1::Level level) {
  order.mutable_isolate()->set_level(level);
  order.mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
}

TEST_F(GateOfAHost, SaysThatItGoesDarkBeforeItDoes) {
  const v1::Order order = OrderFor([](v1::Order& o) { ActIsolate(o, v1::LEVEL_DARK); });
  Handle(order);
  ASSERT_EQ(last_words_.size(), 1U);
  EXPECT_EQ(last_words_[0].order_id(), order.order_id());
  EXPECT_EQ(last_words_[0].state(), v1::OrderOutcome::STATE_GOING_DARK);
  EXPECT_THAT(last_words_[0].message(), HasSubstr("is not heard from then on"));
  EXPECT_THAT(handler_.effects, IsEmpty());
  Handle(order);  // by another session
  EXPECT_EQ(last_words_.size(), 1U);
  then_();
  EXPECT_THAT(handler_.effects, ElementsAre("isolate"));
  EXPECT_EQ(outcome_.state(), v1::OrderOutcome::STATE_DONE) << "for when it is heard again";
}

TEST_F(GateOfAHost, SaysNoLastWordWhereTheControllersWayStaysOpen) {
  Handle(OrderFor([](v1::Order& o) { ActIsolate(o, v1::LEVEL_CONTROLLER_ONLY); }));
  Handle(OrderFor(ActRelease));
  EXPECT_TRUE(last_words_.empty());
  EXPECT_THAT(handler_.effects, ElementsAre("isolate", "release"));
}

TEST_F(GateOfAHost, ISO9_AnOrderThatComesBeforeItWentDarkCounts) {
  Handle(OrderFor([](v1::Order& o) { ActIsolate(o, v1::LEVEL_DARK); }));
  const v1::Order newer = OrderFor(ActRelease);
  Handle(newer);
  handler_.lane.set_order_id(newer.order_id());
  handler_.lane.set_sequence(newer.sequence());
  then_();
  EXPECT_THAT(handler_.effects, ElementsAre("release"));
  EXPECT_EQ(outcome_.state(), v1::OrderOutcome::STATE_SUPERSEDED);
}

TEST(LocalSocket, AUT4_OffersStatusHealthAndReflectionAndNoOther) {
  const testing::TempFolder folder;
  const auto server = Must(
      agent::LocalServer::Start(folder / "agent.sock", {.status = [] { return v1::GetStatusResponse(); }}));
  const auto channel =
      grpc::CreateChannel("unix:" + (folder / "agent.sock").string(), grpc::InsecureChannelCredentials());
  EXPECT_EQ(testing::ListServices(channel),
            (std::set<std::string>{"cordon.v1.LocalAgent", "grpc.health.v1.Health",
                                   "grpc.reflection.v1alpha.ServerReflection"}));
  const auto* local = v1::GetStatusRequest::descriptor()->file()->FindServiceByName("LocalAgent");
  ASSERT_NE(local, nullptr);
  std::set<std::string> methods;
  for (int i = 0; i < local->method_count(); ++i) methods.insert(local->method(i)->name());
  EXPECT_EQ(methods, (std::set<std::string>{"GetStatus", "BeginUnlock", "AnswerUnlock"}));
  // A call that it does not offer is not taken.
  EXPECT_EQ(testing::CallByBytes(channel, "/cordon.v1.LocalAgent/Run", "id"), "error 12");
  EXPECT_NE(testing::CallByBytes(channel, "/cordon.v1.LocalAgent/GetStatus", ""), "error 12");
}

}  // namespace
}  // namespace cordon
