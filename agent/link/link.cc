#include "agent/link/link.h"

#include <boost/asio/post.hpp>
#include <future>
#include <utility>

#include "agent/link/link_impl.h"
#include "agent/link/socket_mutator.h"
#include "common/base/status.h"

namespace cordon::agent {

Link::Link(Parts parts, HostState state, LinkSettings settings)
    : impl_(std::make_shared<Impl>(std::move(parts), std::move(state), std::move(settings))) {}

Link::~Link() = default;

absl::Status Link::Start() {
  grpc::ChannelArguments trial;
  CORDON_RETURN_IF_ERROR(TagSocketsOf(&trial));
  boost::asio::post(impl_->Loop(), [impl = impl_] { impl->Start(); });
  return absl::OkStatus();
}

void Link::Stop(std::function<void()> stopped) {
  impl_->Stop(std::move(stopped));
}

void Link::SendReceipt(v1::Receipt receipt) {
  impl_->Send(std::move(receipt));
}
void Link::SendOutcome(v1::OrderOutcome outcome) {
  impl_->Send(std::move(outcome));
}
void Link::Deliver(v1::OrderOutcome outcome, std::chrono::nanoseconds deadline,
                   std::function<void(bool)> done) {
  boost::asio::post(impl_->Loop(),
                    [impl = impl_, outcome = std::move(outcome), deadline, done = std::move(done)]() mutable {
                      impl->Deliver(std::move(outcome), deadline, std::move(done));
                    });
}
void Link::SendProgress(v1::ScanProgress progress) {
  impl_->Send(std::move(progress));
}
void Link::SendHealth(v1::HealthAnswer answer) {
  impl_->Send(std::move(answer));
}
void Link::SendRehearsal(v1::RehearsalAnswer answer) {
  impl_->Send(std::move(answer));
}

void Link::SendInboundProbe(v1::InboundProbeRequest request) {
  impl_->Send(std::move(request));
}

void Link::Probe(std::chrono::nanoseconds deadline, std::function<void(bool)> done) {
  boost::asio::post(impl_->Loop(), [impl = impl_, deadline, done = std::move(done)]() mutable {
    impl->Probe(deadline, std::move(done));
  });
}

void Link::Redial(const std::string& why) {
  boost::asio::post(impl_->Loop(), [impl = impl_, why] { impl->Redial(why); });
}

void Link::UseAuthorities(std::string ca_pem) {
  boost::asio::post(impl_->Loop(), [impl = impl_, ca_pem = std::move(ca_pem)]() mutable {
    impl->UseAuthorities(std::move(ca_pem));
  });
}

LinkStatus Link::Status() const {
  return impl_->Status();
}

std::string Link::Name() const {
  return "cordon.link";
}

void Link::Prove() {
  const auto answered = std::make_shared<std::promise<void>>();
  std::future<void> wait = answered->get_future();
  Probe(kCanaryTimeout, [answered](bool) { answered->set_value(); });
  wait.wait_for(kCanaryTimeout + std::chrono::seconds(1));  // the loop may be stopping
}

PartState Link::State() const {
  return impl_->State();
}

}  // namespace cordon::agent
