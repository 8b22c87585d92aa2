#include "controller/fleet_sim/virtual_agent.h"

#include <utility>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/wire/receipt.h"

namespace cordon::fleet_sim {
namespace {

constexpr const char* kSimulated = "simulated by cordon-fleet-sim: nothing is enforced";
constexpr const char* kVersion = "fleet-sim";

v1::Receipt SimulatedReceipt(const v1::Order* order) {
  v1::Receipt receipt;
  receipt.set_intended_level(order != nullptr && order->has_isolate() ? order->isolate().level()
                                                                      : v1::LEVEL_OBSERVE);
  receipt.set_enforced_level(v1::LEVEL_OBSERVE);
  receipt.set_containment(v1::CONTAINMENT_OPEN);
  receipt.add_reasons(kSimulated);
  receipt.set_read_back_time_unix_nanos(WallNowNanos());
  if (order != nullptr) {
    receipt.set_order_id(order->order_id());
    receipt.set_order_sequence(order->sequence());
  }
  return receipt;
}

v1::HealthReport SimulatedHealth(v1::Receipt receipt) {
  v1::HealthReport report;
  report.set_time_unix_nanos(WallNowNanos());
  report.set_agent_version(kVersion);
  *report.mutable_receipt() = std::move(receipt);
  report.add_notices(kSimulated);
  return report;
}

std::shared_ptr<grpc::Channel> OpenChannel(const TlsIdentity& tls, const std::string& controller) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // never another agent's connection
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(controller, MakeChannelCredentials(tls), arguments);
}

}  // namespace

VirtualAgent::VirtualAgent(AgentIdentity identity, const std::string& controller, Counters& counters)
    : identity_(std::move(identity)),
      key_(PrivateKeyFromPem(identity_.tls.key_pem).value_or(nullptr)),
      counters_(counters),
      stub_(v1::AgentGateway::NewStub(OpenChannel(identity_.tls, controller))) {}

// Signed as an agent's, so that a run costs and shows what a fleet would.
v1::Receipt VirtualAgent::Receipt(const v1::Order* order) const {
  v1::Receipt receipt = SimulatedReceipt(order);
  if (key_ != nullptr && !SignReceipt(*key_, identity_.host_id, &receipt).ok()) receipt.clear_signature();
  return receipt;
}

void VirtualAgent::Start() {
  v1::ControlRequest hello;
  hello.mutable_hello()->mutable_facts()->set_host_name(identity_.name);
  hello.mutable_hello()->mutable_facts()->set_agent_version(kVersion);
  hello.mutable_hello()->set_boot_id(NewUuid());
  hello.mutable_hello()->set_session_id(NewUuid());
  *hello.mutable_hello()->mutable_receipt() = Receipt(nullptr);
  stub_->async()->Control(&context_, this);
  AddHold();  // heartbeats are written from outside of reactions; gone with the last read
  StartRead(&incoming_);
  Send(std::move(hello));
  StartCall();
}

void VirtualAgent::Beat() {
  v1::ControlRequest request;
  {
    const std::lock_guard lock(mutex_);
    if (!welcomed_ || stopped_) return;
    request.mutable_heartbeat()->set_id(++last_beat_);
  }
  request.mutable_heartbeat()->set_enforced_level(v1::LEVEL_OBSERVE);
  request.mutable_heartbeat()->set_containment(v1::CONTAINMENT_OPEN);
  Send(std::move(request));
}

void VirtualAgent::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  context_.TryCancel();
}

void VirtualAgent::Wait() {
  std::unique_lock lock(mutex_);
  done_changed_.wait(lock, [this] { return done_; });
}

void VirtualAgent::Send(v1::ControlRequest request) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  outgoing_.push_back(std::move(request));
  if (outgoing_.size() == 1) WriteFirst();
}

void VirtualAgent::WriteFirst() {
  StartWrite(&outgoing_.front());
}

void VirtualAgent::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  outgoing_.pop_front();
  if (!ok || closed_) {
    outgoing_.clear();
    closed_ = true;
  }
  if (!outgoing_.empty()) WriteFirst();
}

void VirtualAgent::OnReadDone(bool ok) {
  if (!ok) {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    RemoveHold();
    return;
  }
  Answer(incoming_);
  StartRead(&incoming_);
}

void VirtualAgent::Answer(const v1::ControlResponse& message) {
  v1::ControlRequest request;
  switch (message.kind_case()) {
    case v1::ControlResponse::kWelcome: {
      const std::lock_guard lock(mutex_);
      if (!std::exchange(welcomed_, true)) ++counters_.connected;
      return;
    }
    case v1::ControlResponse::kHeartbeatAck:
      ++counters_.beats;
      return;
    case v1::ControlResponse::kHealthPoll:
      request.mutable_health()->set_poll_id(message.health_poll().poll_id());
      *request.mutable_health()->mutable_report() = SimulatedHealth(Receipt(nullptr));
      ++counters_.polls;
      Send(std::move(request));
      return;
    case v1::ControlResponse::kOrder:
      AnswerOrder(message.order());
      return;
    case v1::ControlResponse::kRehearsal:
    case v1::ControlResponse::kInboundProbeSent:
    case v1::ControlResponse::KIND_NOT_SET:
      return;
  }
}

void VirtualAgent::AnswerOrder(const v1::SignedOrder& signed_order) {
  v1::Order order;
  const bool read = order.ParseFromString(signed_order.order());
  ++counters_.orders;
  v1::ControlRequest request;
  v1::OrderOutcome& outcome = *request.mutable_outcome();
  outcome.set_order_id(order.order_id());
  outcome.set_host_id(identity_.host_id);
  outcome.set_state(read ? v1::OrderOutcome::STATE_DONE : v1::OrderOutcome::STATE_REFUSED);
  outcome.set_message(kSimulated);
  outcome.set_time_unix_nanos(WallNowNanos());
  if (order.has_isolate() || order.has_release()) *outcome.mutable_receipt() = Receipt(&order);
  Send(std::move(request));
}

void VirtualAgent::OnDone(const grpc::Status& /*status*/) {
  const std::lock_guard lock(mutex_);
  if (welcomed_) --counters_.connected;
  if (!stopped_) ++counters_.ended;
  done_ = true;
  done_changed_.notify_all();
}

}  // namespace cordon::fleet_sim
