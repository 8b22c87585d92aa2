#pragma once

// A host in the hands of a hostile controller: the agent's real OrderGate, trust chain, lanes and isolation
// over a fake packet filter, with its state on disk. And the people whose orders it obeys.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/isolation/isolation.h"
#include "agent/orders/order_gate.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_orders.h"

namespace cordon::testing {

// Everything that an order could change.
struct HostStanding {
  int level = 0;
  int applications = 0;  // of the packet filter
  size_t effects = 0;    // scans, policies
  uint64_t trust_version = 0;
  std::string lanes;
  friend bool operator==(const HostStanding&, const HostStanding&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const HostStanding& s) {
  return out << "level " << s.level << ", applied " << s.applications << " times, " << s.effects
             << " other effects, trust " << s.trust_version << ", lanes " << s.lanes;
}

class Victim final : public agent::OrderHandler {
 public:
  explicit Victim(const v1::TrustBundle& root) {
    root_.set_bundle(root.SerializeAsString());
    Start();
  }

  // What a kill and a new start make of it.
  void Start() {
    gate_.reset();
    isolation_ = std::make_unique<agent::Isolation>(
        agent::IsolationParts{.filter = &filter_,
                              .connections = &connections_,
                              .clock = &clock_,
                              .events = &events_,
                              .escape = &escape_,
                              .channel = &channel_},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
    restored_ = isolation_->Restore();
    lanes_ = Must(agent::LaneStore::Open(folder_ / "agent.db", clock_));
    trust_.emplace(folder_.Path(), root_);
    witness_.emplace(folder_.Path());
    gate_.emplace(self_, *trust_, *witness_,
                  agent::OrderGate::Parts{clock_, events_, *lanes_, *this,
                                          [this](const v1::OrderOutcome& outcome) { Note(outcome); },
                                          [this] { ++trust_changes_; }});
    gate_->Resume();
  }

  void Hear(const v1::SignedOrder& order, const v1::AuditProof& audit = {}) { gate_->Handle(order, audit); }

  HostStanding Standing() {
    HostStanding standing{.level = filter_.Held() ? static_cast<int>(filter_.Held()->level) : 1,
                          .applications = filter_.Applications(),
                          .effects = effects_.size(),
                          .trust_version = gate_->TrustVersion(),
                          .lanes = {}};
    for (const v1::LaneState& lane : gate_->Lanes()) standing.lanes += lane.ShortDebugString() + "; ";
    return standing;
  }

  // No effect, an answer that says why, and an event that says it too (TEL-1).
  void ExpectRefused(const v1::SignedOrder& order, const std::string& why,
                     v1::OrderOutcome::State state = v1::OrderOutcome::STATE_REFUSED) {
    const HostStanding before = Standing();
    const uint64_t answers = answers_;
    const size_t events = events_.Events().size();
    Hear(order);
    EXPECT_EQ(Standing(), before) << "it had an effect: " << why;
    ASSERT_EQ(answers_, answers + 1);
    EXPECT_EQ(answer_.state(), state) << answer_.message();
    EXPECT_THAT(answer_.message(), ::testing::HasSubstr(why));
    ASSERT_EQ(events_.Events().size(), events + 1);
    EXPECT_EQ(events_.Events().back().event.order_outcome().message(), answer_.message());
    EXPECT_EQ(events_.Events().back().event_class, v1::EVENT_CLASS_CONTROL);
  }
  // The positive control: a good order has its effect.
  void ExpectObeyed(const v1::SignedOrder& order, const HostStanding& but) {
    Hear(order);
    EXPECT_EQ(answer_.state(), v1::OrderOutcome::STATE_DONE) << answer_.message();
    HostStanding after = Standing();
    EXPECT_EQ(after.level, but.level);
    EXPECT_EQ(after.trust_version, but.trust_version);
  }
  void ExpectObeyed(const v1::SignedOrder& order, v1::Level level) {
    ExpectObeyed(order, {.level = level, .trust_version = Standing().trust_version, .lanes = {}});
  }

  const HostTraits& Self() const { return self_; }
  FakeClock& Time() { return clock_; }
  RecordingSink& Events() { return events_; }
  agent::Isolation& TheIsolation() { return *isolation_; }
  const v1::OrderOutcome& Answer() const { return answer_; }
  uint64_t Answers() const { return answers_; }
  uint64_t Refused() const { return refused_; }
  int TrustChanges() const { return trust_changes_; }
  agent::OrderGate& Gate() { return *gate_; }
  agent::TrustChain& Chain() { return *trust_; }
  std::filesystem::path Folder() const { return folder_.Path(); }
  FakePacketFilter& Filter() { return filter_; }
  agent::LaneStore& Lanes() { return *lanes_; }
  const std::vector<std::string>& Effects() const { return effects_; }
  // As when baseline.db is set aside.
  void LoseScans() { scans_.clear(); }
  void OnAnswer(std::function<void(const v1::OrderOutcome&)> listener) { listener_ = std::move(listener); }

  absl::StatusOr<v1::Receipt> Isolate(const v1::IsolateAction& action, const std::string& order_id,
                                      uint64_t sequence) override {
    return isolation_->Set(action, order_id, sequence);
  }
  absl::StatusOr<v1::Receipt> Release(const v1::ReleaseAction& /*action*/, const std::string& order_id,
                                      uint64_t sequence) override {
    return isolation_->Release(order_id, sequence);
  }
  v1::LaneState IsolationLane() override { return isolation_->Lane(); }
  uint64_t TimesIsolatedByItself() override { return isolation_->TimesByItself(); }
  v1::Level LevelMeant() override { return isolation_->LevelMeant(); }
  v1::Receipt IsolationReceipt() override { return isolation_->ReadReceipt(); }
  absl::Status Scan(const std::string& order_id, const v1::ScanSpec& /*spec*/) override {
    effects_.push_back("scan " + order_id);
    scans_.insert(order_id);
    return absl::OkStatus();
  }
  absl::Status FindScan(const std::string& scan_order_id) override {
    return scans_.contains(scan_order_id) ? absl::OkStatus() : absl::NotFoundError("no such scan");
  }
  void EndScan(const std::string& scan_order_id) override { scans_.erase(scan_order_id); }
  absl::Status CancelScan(const std::string& scan_order_id) override {
    effects_.push_back("cancel " + scan_order_id);
    return absl::OkStatus();
  }
  absl::Status PauseScan(const std::string& scan_order_id) override {
    effects_.push_back("pause " + scan_order_id);
    return absl::OkStatus();
  }
  absl::Status ResumeScan(const std::string& scan_order_id) override {
    effects_.push_back("resume " + scan_order_id);
    return absl::OkStatus();
  }
  absl::Status SetPolicy(const v1::Policy* /*policy*/) override {
    effects_.emplace_back("policy");
    return absl::OkStatus();
  }

 private:
  void Note(const v1::OrderOutcome& outcome) {
    answer_ = outcome;
    ++answers_;
    refused_ += outcome.state() == v1::OrderOutcome::STATE_REFUSED ||
                outcome.state() == v1::OrderOutcome::STATE_SUPERSEDED ||
                outcome.state() == v1::OrderOutcome::STATE_EXPIRED;
    if (listener_) listener_(outcome);
  }

  const HostTraits self_{NewUuid(), "reception-1", "leeds", {}};
  TempFolder folder_;
  v1::SignedTrustBundle root_;
  FakeClock clock_{WallNowNanos()};
  FakePacketFilter filter_;
  FakeConnections connections_;
  FakeChannelProbe channel_;
  FakeEscapeProbe escape_;
  RecordingSink events_;
  absl::Status restored_;
  std::vector<std::string> effects_;
  std::set<std::string> scans_;  // on disk
  v1::OrderOutcome answer_;
  uint64_t answers_ = 0;
  uint64_t refused_ = 0;
  int trust_changes_ = 0;
  std::function<void(const v1::OrderOutcome&)> listener_;
  std::unique_ptr<agent::Isolation> isolation_;
  std::unique_ptr<agent::LaneStore> lanes_;
  std::optional<agent::TrustChain> trust_;
  std::optional<agent::AuditWitness> witness_;
  std::optional<agent::OrderGate> gate_;
};

// Two operators who may do everything, two of whom must sign what is dangerous; and people the fleet does not
// know.
struct People {
  People() {
    for (const TestOperator* person : {&alex, &sam}) Trust(*person, kAll, &bundle);
    for (const v1::Threshold& threshold : DefaultThresholds(bundle.operators())) {
      *bundle.add_thresholds() = threshold;
    }
  }

  // `next` as the version after `bundle`, with these people and the default thresholds.
  v1::TrustBundle Next(const std::vector<const TestOperator*>& people) const {
    v1::TrustBundle next = EmptyBundle(bundle.fleet_id());
    next.set_version(bundle.version() + 1);
    for (const TestOperator* person : people) Trust(*person, kAll, &next);
    for (const v1::Threshold& threshold : DefaultThresholds(next.operators())) {
      *next.add_thresholds() = threshold;
    }
    return next;
  }

  static inline const std::vector<v1::TrustedOperator::Role> kAll = {
      v1::TrustedOperator::ROLE_ISOLATE, v1::TrustedOperator::ROLE_SCAN, v1::TrustedOperator::ROLE_POLICY,
      v1::TrustedOperator::ROLE_TRUST};
  const TestOperator alex, sam, kim, mallory;
  v1::TrustBundle bundle = EmptyBundle(NewUuid());
};

// Orders for the victim, each above the one before it.
class OrderMaker {
 public:
  OrderMaker(Victim& victim, const People& people) : victim_(victim), people_(people) {}

  v1::Order Blank() {
    v1::Order order = BasicOrder(people_.bundle.fleet_id());
    order.mutable_target()->mutable_hosts(0)->set_host_id(victim_.Self().host_id);
    order.set_not_before_unix_nanos(victim_.Time().WallNanos());
    order.set_expiry_unix_nanos(victim_.Time().WallNanos() + TestFleet::kHour);
    order.set_sequence(static_cast<uint64_t>(victim_.Time().WallNanos() / 1'000) + ++made_);
    return order;
  }
  v1::Order Isolate(v1::Level level) {
    v1::Order order = Blank();
    order.mutable_isolate()->set_level(level);
    order.mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
    return order;
  }
  v1::Order Release() {
    v1::Order order = Blank();
    order.mutable_release();
    return order;
  }
  v1::Order ChangeTrust(const v1::TrustBundle& bundle) {
    v1::Order order = Blank();
    order.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
    return order;
  }

 private:
  Victim& victim_;
  const People& people_;
  uint64_t made_ = 0;
};

}  // namespace cordon::testing
