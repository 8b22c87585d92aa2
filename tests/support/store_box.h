#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/store/sqlite_store.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"
#include "tests/support/test_orders.h"

namespace cordon::testing {

inline controller::AuditNote Note(const std::string& action = "test.action",
                                  const std::string& subject = "it") {
  return {"operator/alex", action, subject, "by a test"};
}

inline v1::Label MakeLabel(const std::string& key, const std::string& value) {
  v1::Label label;
  label.set_key(key);
  label.set_value(value);
  return label;
}

// A controller's store in a folder of its own, whose clock stands still, and which can crash.
class StoreBox {
 public:
  // `more` changes the fleet's first trust bundle.
  explicit StoreBox(const std::function<void(v1::TrustBundle&)>& more = [](v1::TrustBundle&) {}) {
    v1::TrustBundle bundle;
    bundle.ParseFromString(fleet_.Trust().bundle());
    more(bundle);
    v1::SignedTrustBundle trust;
    trust.set_bundle(bundle.SerializeAsString());
    Must(controller::CreateSqliteStore(File(), {fleet_.FleetId(), fleet_.Organisation(), trust}, clock_));
    Start();
  }

  controller::Store& operator*() { return *store_; }
  controller::Store* operator->() { return store_.get(); }
  FakeClock& Time() { return clock_; }
  const TestFleet& Fleet() const { return fleet_; }
  std::filesystem::path File() const { return folder_ / "store.db"; }

  void Start() { store_ = Must(controller::OpenSqliteStore(File(), clock_)); }
  // What a kill leaves: the object goes without a word.
  void Crash() { store_.reset(); }

  // An enrolment that can be used, not yet in the store.
  controller::NewEnrollment Enrolment(uint32_t uses = 1, const std::string& site = "leeds") const {
    controller::NewEnrollment enrollment;
    enrollment.enrollment_id = NewUuid();
    enrollment.site = site;
    enrollment.uses = uses;
    enrollment.expiry_unix_nanos = clock_.WallNanos() + TestFleet::kHour;
    enrollment.token = std::string(32, 't');
    enrollment.certificate = {NewUuid(), 1, 2};
    return enrollment;
  }

  static controller::NewHost HostNamed(const std::string& name) {
    controller::NewHost host{NewUuid(), {}, {NewUuid(), 1, 2}};
    host.facts.set_host_name(name);
    return host;
  }

  // An enrolled host; its id.
  std::string AddHost(const std::string& name, const std::string& site = "leeds",
                      const std::vector<v1::Label>& labels = {}) {
    controller::NewEnrollment enrollment = Enrolment(1, site);
    enrollment.labels = labels;
    Must(store_->CreateEnrollment(enrollment, Note()));
    return Must(store_->EnrollHost(enrollment.enrollment_id, enrollment.token, HostNamed(name))).host_id;
  }

  // An order that isolates the hosts, valid for an hour from now.
  v1::Order Isolate(const std::vector<std::string>& host_ids, uint64_t sequence) const {
    v1::Order order = IsolateOrder(fleet_.FleetId());
    order.set_not_before_unix_nanos(clock_.WallNanos());
    order.set_expiry_unix_nanos(clock_.WallNanos() + TestFleet::kHour);
    order.set_sequence(sequence);
    order.clear_target();
    for (const std::string& host_id : host_ids) order.mutable_target()->add_hosts()->set_host_id(host_id);
    return order;
  }

  v1::Order Scan(const std::vector<std::string>& host_ids, uint64_t sequence) const {
    v1::Order order = Isolate(host_ids, sequence);
    order.mutable_scan()->mutable_spec()->mutable_integrity()->set_mode(v1::IntegrityCheck::MODE_CHECK);
    return order;
  }

  // Signed by the fleet's operator.
  v1::SignedOrder Signed(const v1::Order& order) const {
    v1::SignedOrder signed_order;
    signed_order.set_order(order.SerializeAsString());
    *signed_order.add_signatures() =
        Must(SignOrder(signed_order.order(), fleet_.OperatorId(), fleet_.OperatorKey()));
    return signed_order;
  }
  absl::StatusOr<controller::SubmittedOrder> Submit(const v1::Order& order) {
    return Submit(order, Signed(order));
  }
  absl::StatusOr<controller::SubmittedOrder> Submit(const v1::Order& order,
                                                    const v1::SignedOrder& signed_order) {
    return store_->SubmitOrder(signed_order, order, "alex", Note("order.submit", order.order_id()));
  }

  // What an order came to on a host.
  v1::OrderOutcome OutcomeOn(const std::string& order_id, const std::string& host_id) {
    for (v1::OrderOutcome& outcome : Must(store_->OutcomesOf(order_id))) {
      if (outcome.host_id() == host_id) return outcome;
    }
    return {};
  }

  std::vector<v1::AuditEntry> Audit() {
    std::vector<v1::AuditEntry> entries;
    Must(store_->ReadAudit(1, [&](v1::AuditEntry&& entry) {
      entries.push_back(std::move(entry));
      return true;
    }));
    return entries;
  }

 private:
  TempFolder folder_;
  TestFleet fleet_;
  FakeClock clock_{WallNowNanos()};
  std::unique_ptr<controller::Store> store_;
};

inline v1::OrderOutcome Outcome(const std::string& order_id, const std::string& host_id,
                                v1::OrderOutcome::State state) {
  v1::OrderOutcome outcome;
  outcome.set_order_id(order_id);
  outcome.set_host_id(host_id);
  outcome.set_state(state);
  return outcome;
}

}  // namespace cordon::testing
