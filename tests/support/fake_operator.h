#pragma once

// A controller's Operator service on loopback, for tests of cordonctl: real mutual TLS, answers set by the
// test.

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/tls.h"
#include "common/wire/operator_identity.h"
#include "common/wire/receipt.h"
#include "cordon/v1/operator.grpc.pb.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

class FakeOperator final : public v1::Operator::Service {
 public:
  explicit FakeOperator(const TestFleet& fleet) : fleet_(fleet) {
    Must(RequireTls13());
    const TestFleet::Leaf leaf = fleet.Issue(IdentityKind::kController, NewUuid());
    grpc::ServerBuilder builder;
    builder.AddListeningPort(
        "127.0.0.1:0", MakeServerCredentials({fleet.CaPem(), leaf.certificate_pem, leaf.key_pem}), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error("the fake controller does not start");
  }
  ~FakeOperator() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }

  // An identity file of the fleet's operator, for this controller.
  std::string IdentityText() const {
    const TestFleet::Leaf leaf = fleet_.Issue(IdentityKind::kOperator, fleet_.OperatorId());
    v1::OperatorIdentity identity;
    identity.set_format(1);
    identity.set_operator_id(fleet_.OperatorId());
    identity.set_name("alex");
    identity.set_fleet_id(fleet_.FleetId());
    identity.add_controllers(Address());
    identity.set_ca_pem(fleet_.CaPem());
    identity.set_certificate_pem(leaf.certificate_pem);
    identity.set_key_pem(leaf.key_pem);
    identity.set_signing_key_pem(Must(PrivateKeyToPem(fleet_.OperatorKey())));
    identity.set_trust_bundle_sha256(Sha256(fleet_.Trust().bundle()));
    return WriteOperatorIdentity(identity);
  }

  v1::Host& AddHost(const std::string& name, const std::string& site) {
    v1::Host& host = hosts_.emplace_back();
    host.set_host_id(NewUuid());
    host.mutable_facts()->set_host_name(name);
    host.set_site(site);
    host.set_state(v1::HOST_STATE_CONNECTED);
    host.set_last_seen_unix_nanos(WallNowNanos());
    const TestFleet::Leaf leaf = fleet_.Issue(IdentityKind::kHost, host.host_id());
    host.set_certificate_pem(leaf.certificate_pem);
    keys_[host.host_id()] = leaf.key_pem;
    return host;
  }

  // As the host would have sent it: read back now, signed with its key.
  void SignAsHost(const v1::Host& host, v1::Receipt* receipt) const {
    receipt->set_read_back_time_unix_nanos(WallNowNanos());
    Must(SignReceipt(*Must(PrivateKeyFromPem(keys_.at(host.host_id()))), host.host_id(), receipt));
  }

  // What a host answers to every order; without one it never answers.
  void AnswerWith(const v1::Host& host, v1::OrderOutcome::State state, const std::string& message = "") {
    v1::OrderOutcome& outcome = answers_[host.host_id()];
    outcome.set_host_id(host.host_id());
    outcome.set_state(state);
    outcome.set_message(message);
    if (state == v1::OrderOutcome::STATE_DONE) {
      outcome.mutable_receipt()->set_enforced_level(v1::LEVEL_ESSENTIAL);
      outcome.mutable_receipt()->set_containment(v1::CONTAINMENT_CONTAINED);
      outcome.mutable_receipt()->set_apply_nanos(7'000'000);
    }
  }

  std::vector<v1::SignedOrder> Orders() const {
    const std::lock_guard lock(mutex_);
    return orders_;
  }

  // What somebody between the host and the operator makes of its receipt.
  enum class Receipts : uint8_t { kHonest, kForged, kOfAnotherOrder, kNone };
  void TellReceipts(Receipts receipts) {
    const std::lock_guard lock(mutex_);
    receipts_ = receipts;
  }

  v1::RehearseRequest Rehearsed() const {
    const std::lock_guard lock(mutex_);
    return rehearsed_;
  }

  // What the test sets before it calls.
  std::string fleet_id;         // empty = the fleet's
  v1::SignedTrustBundle trust;  // empty = the fleet's
  uint64_t newest_sequence = 0;
  v1::EnrollmentFile enrollment;  // what CreateEnrollment answers
  std::vector<v1::QueryEventsResponse> events;
  std::vector<v1::AuditEntry> audit;
  v1::PollHealthResponse health;  // one answer, when it names a host
  std::vector<v1::RehearseResponse> rehearsals;
  grpc::Status ends = grpc::Status::OK;         // how PollHealth, Rehearse and ExportAudit end
  grpc::Status submit_ends = grpc::Status::OK;  // how SubmitOrder ends, with the order taken
  int broken_watches = 0;  // this many WatchOrder calls end as if the controller restarted

  grpc::Status GetFleet(grpc::ServerContext*, const v1::GetFleetRequest*,
                        v1::GetFleetResponse* out) override {
    out->set_fleet_id(fleet_id.empty() ? fleet_.FleetId() : fleet_id);
    out->set_newest_sequence(newest_sequence);
    *out->mutable_trust_bundle() = trust.bundle().empty() ? fleet_.Trust() : trust;
    return grpc::Status::OK;
  }
  grpc::Status ListHosts(grpc::ServerContext*, const v1::ListHostsRequest* in,
                         v1::ListHostsResponse* out) override {
    // Two pages, so that paging is always under test.
    const bool second = !in->page_token().empty();
    const size_t half = hosts_.size() / 2;
    for (size_t i = second ? half : 0; i < (second ? hosts_.size() : half); ++i)
      *out->add_hosts() = hosts_[i];
    if (!second) out->set_next_page_token("2");
    return grpc::Status::OK;
  }
  grpc::Status CreateEnrollment(grpc::ServerContext*, const v1::CreateEnrollmentRequest*,
                                v1::CreateEnrollmentResponse* out) override {
    *out->mutable_file() = enrollment;
    return grpc::Status::OK;
  }
  grpc::Status SubmitOrder(grpc::ServerContext*, const v1::SubmitOrderRequest* in,
                           v1::SubmitOrderResponse* out) override {
    const std::lock_guard lock(mutex_);
    orders_.push_back(in->order());
    out->set_hosts(static_cast<uint32_t>(hosts_.size()));
    return submit_ends;
  }
  grpc::Status WatchOrder(grpc::ServerContext* context, const v1::WatchOrderRequest* in,
                          grpc::ServerWriter<v1::WatchOrderResponse>* out) override {
    {
      const std::lock_guard lock(mutex_);
      if (broken_watches-- > 0) return {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
    }
    uint32_t finished = 0;
    for (const auto& [id, outcome] : answers_) {
      v1::WatchOrderResponse message;
      *message.mutable_outcome() = WithReceipt(outcome);
      message.mutable_outcome()->set_order_id(in->order_id());
      message.set_hosts(static_cast<uint32_t>(hosts_.size()));
      message.set_finished(++finished);
      out->Write(message);
    }
    while (finished < hosts_.size() && !context->IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return grpc::Status::OK;
  }
  grpc::Status QueryEvents(grpc::ServerContext*, const v1::QueryEventsRequest*,
                           grpc::ServerWriter<v1::QueryEventsResponse>* out) override {
    for (const v1::QueryEventsResponse& event : events) out->Write(event);
    return grpc::Status::OK;
  }
  grpc::Status PollHealth(grpc::ServerContext*, const v1::PollHealthRequest*,
                          grpc::ServerWriter<v1::PollHealthResponse>* out) override {
    if (health.has_host()) out->Write(health);
    return ends;
  }
  grpc::Status Rehearse(grpc::ServerContext*, const v1::RehearseRequest* in,
                        grpc::ServerWriter<v1::RehearseResponse>* out) override {
    {
      const std::lock_guard lock(mutex_);
      rehearsed_ = *in;
    }
    for (const v1::RehearseResponse& answer : rehearsals) out->Write(answer);
    return ends;
  }
  grpc::Status ExportAudit(grpc::ServerContext*, const v1::ExportAuditRequest*,
                           grpc::ServerWriter<v1::ExportAuditResponse>* out) override {
    for (const v1::AuditEntry& entry : audit) {
      v1::ExportAuditResponse message;
      *message.mutable_entry() = entry;
      out->Write(message);
    }
    return ends;
  }

 private:
  // Signed by the host for the newest order.
  v1::OrderOutcome WithReceipt(v1::OrderOutcome outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome.has_receipt()) return outcome;
    if (receipts_ == Receipts::kNone) {
      outcome.clear_receipt();
      return outcome;
    }
    v1::Order order;
    if (!orders_.empty() && !order.ParseFromString(orders_.back().order()))
      throw std::runtime_error("no order");
    v1::Receipt& receipt = *outcome.mutable_receipt();
    receipt.set_order_id(order.order_id());
    receipt.set_order_sequence(order.sequence() - (receipts_ == Receipts::kOfAnotherOrder ? 1 : 0));
    for (const v1::Host& host : hosts_) {
      if (host.host_id() == outcome.host_id()) SignAsHost(host, &receipt);
    }
    if (receipts_ == Receipts::kForged) receipt.mutable_signature()->back() ^= 1;
    return outcome;
  }

  const TestFleet& fleet_;
  Receipts receipts_ = Receipts::kHonest;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::deque<v1::Host> hosts_;               // references to its elements stay good
  std::map<std::string, std::string> keys_;  // PEM, by host id
  std::map<std::string, v1::OrderOutcome> answers_;
  mutable std::mutex mutex_;
  std::vector<v1::SignedOrder> orders_;
  v1::RehearseRequest rehearsed_;
};

}  // namespace cordon::testing
