#pragma once

#include <filesystem>
#include <vector>

#include "agent/app/host_receipt_signer.h"
#include "agent/app/link_inbound_probe.h"
#include "agent/app/path_part.h"
#include "agent/app/receipt_box.h"
#include "agent/event/event_sink.h"
#include "agent/health/health_board.h"
#include "agent/isolation/isolation.h"
#include "agent/link/link.h"
#include "agent/orders/order_gate.h"
#include "agent/rehearsal/rehearser.h"
#include "agent/spool/spool.h"
#include "common/base/clock.h"

namespace cordon::agent {

// What the agent says to a controller and does with what comes from one. On the agent loop.
class ControllerDesk final : public LinkHandler {
 public:
  struct Parts {
    const Clock& clock;
    EventSink& events;
    Spool& spool;
    Isolation& isolation;
    ReceiptBox& receipts;
    OrderGate& gate;
    HostReceiptSigner& signer;
    LinkInboundProbe& inbound;
    std::filesystem::path state_dir;
  };
  explicit ControllerDesk(const Parts& parts) : parts_(parts) {}

  // Before the link starts; all must outlive it.
  void Use(HealthBoard* health, Link* link, PathPart* path, Rehearser* rehearser) {
    health_ = health;
    link_ = link;
    path_ = path;
    rehearser_ = rehearser;
  }

  // From now on orders are left to the next start, whose Hello has them sent again: their effect could not be
  // recorded any more.
  void Stop() { stopping_ = true; }

  v1::Hello MakeHello() override;
  v1::Heartbeat MakeHeartbeat() override;
  void OnOrder(const v1::SignedOrder& order, const v1::AuditProof& audit) override {
    if (!stopping_) parts_.gate.Handle(order, audit);
  }
  void OnHealthPoll(const v1::HealthPoll& poll) override;
  void OnRehearsal(const v1::RehearsalRequest& request) override;
  void OnControllerEndpoints(const std::vector<Endpoint>& endpoints) override;
  void OnControllersReached(const std::map<std::string, boost::asio::ip::address>& address_by_name) override {
    path_->SetReached(address_by_name);
  }
  void OnCertificateRenewed(int64_t not_after_unix_nanos) override;
  void OnInboundProbeSent(const v1::InboundProbeSent& sent) override { parts_.inbound.OnSent(sent); }

 private:
  const Parts parts_;
  HealthBoard* health_ = nullptr;
  Link* link_ = nullptr;
  PathPart* path_ = nullptr;
  Rehearser* rehearser_ = nullptr;
  bool stopping_ = false;
};

}  // namespace cordon::agent
