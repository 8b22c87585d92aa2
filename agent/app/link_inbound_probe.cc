#include "agent/app/link_inbound_probe.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <utility>

#include "agent/link/link.h"
#include "common/base/status.h"
#include "common/crypto/random.h"
#include "platform/api/socket_tag.h"

namespace cordon::agent {
namespace {

namespace ip = boost::asio::ip;
using Outcome = InboundProbe::Result::Outcome;

constexpr std::chrono::seconds kForAnswer(5);           // of the controller, that it was sent
constexpr std::chrono::milliseconds kForPacket(2'000);  // after that
constexpr std::chrono::milliseconds kBetween(1'200);
constexpr size_t kNonceBytes = 16;
constexpr int kBacklog = 16;
constexpr size_t kMostStrangers = 16;

// Binds to the first port of `ports` that is free, or to any.
template <typename Socket, typename Protocol>
bool BindFirst(Socket* socket, const Protocol& protocol, std::vector<uint16_t> ports) {
  if (ports.empty()) ports.push_back(0);
  boost::system::error_code error;
  socket->open(protocol, error);
  // So that it is known as the agent's own among the host's flows. No rule lets such a packet in for it.
  if (!error) static_cast<void>(platform::TagAgentSocket(static_cast<int>(socket->native_handle())).ok());
  for (const uint16_t port : ports) {
    if (error && !socket->is_open()) return false;
    socket->bind({protocol, port}, error);
    if (!error) return true;
  }
  return false;
}

}  // namespace

// A connection that is not from the controller's address, until it has said the nonce or not.
struct LinkInboundProbe::Stranger {
  explicit Stranger(ip::tcp::socket from) : socket(std::move(from)) {}
  ip::tcp::socket socket;
  std::string said = std::string(kNonceBytes, '\0');
};

struct LinkInboundProbe::Waiting {
  explicit Waiting(boost::asio::io_context& loop) : listener(loop), datagrams(loop), timer(loop) {}
  uint64_t id = 0;
  ip::tcp::acceptor listener;
  ip::udp::socket datagrams;
  boost::asio::steady_timer timer;
  std::string nonce = RandomBytes(kNonceBytes);
  std::string received = std::string(64, '\0');
  std::deque<std::shared_ptr<Stranger>> strangers;
  Result result;
  std::function<void(const Result&)> done;
};

void LinkInboundProbe::NotPossible(std::function<void(const Result&)> done) {
  boost::asio::post(loop_, [done = std::move(done)] { done(Result{}); });
}

void LinkInboundProbe::Try(const Attempt& attempt, std::function<void(const Result&)> done) {
  const LinkStatus status = link_ == nullptr ? LinkStatus() : link_->Status();
  if (!status.connected || !status.endpoint.has_value() || waiting_) return NotPossible(std::move(done));
  auto waiting = std::make_shared<Waiting>(loop_);
  waiting->result.controller = status.endpoint->address;
  if (!Listen(attempt, status.endpoint->address.is_v4(), waiting)) return NotPossible(std::move(done));
  waiting->done = std::move(done);
  v1::InboundProbeRequest request;
  request.set_probe_id(waiting->id = ++last_id_);
  request.set_protocol(attempt.protocol == platform::FlowProtocol::kTcp ? v1::TRANSPORT_PROTOCOL_TCP
                                                                        : v1::TRANSPORT_PROTOCOL_UDP);
  request.set_port(waiting->result.local.port);
  request.set_nonce(waiting->nonce);
  waiting_ = waiting;
  // The controller makes at most one attempt a second.
  waiting->timer.expires_at(std::max(std::chrono::steady_clock::now(), last_sent_ + kBetween));
  waiting->timer.async_wait([this, waiting, request](const boost::system::error_code& stopped) {
    if (!stopped && waiting_ == waiting) Ask(request);
  });
}

bool LinkInboundProbe::Listen(const Attempt& attempt, bool v4, const std::shared_ptr<Waiting>& waiting) {
  const auto arrived = [this, waiting] {
    if (waiting_ == waiting) Finish(Outcome::kArrived);
  };
  boost::system::error_code error;
  if (attempt.protocol == platform::FlowProtocol::kTcp) {
    if (!BindFirst(&waiting->listener, v4 ? ip::tcp::v4() : ip::tcp::v6(), attempt.ports)) return false;
    waiting->listener.listen(kBacklog, error);
    if (!error) waiting->result.local.port = waiting->listener.local_endpoint(error).port();
    if (error) return false;
    AwaitConnection(waiting, arrived);
    return true;
  }
  if (!BindFirst(&waiting->datagrams, v4 ? ip::udp::v4() : ip::udp::v6(), attempt.ports)) return false;
  waiting->result.local.port = waiting->datagrams.local_endpoint(error).port();
  if (error) return false;
  AwaitNonce(waiting, arrived);
  return true;
}

// Others may connect to the port too, programs of this host among them. A controller that is seen under
// another address than the one that was dialled says the nonce.
void LinkInboundProbe::AwaitConnection(const std::shared_ptr<Waiting>& waiting,
                                       const std::function<void()>& arrived) {
  waiting->listener.async_accept(
      [this, waiting, arrived](const boost::system::error_code& failed, ip::tcp::socket from) {
        if (failed) return;
        boost::system::error_code error;
        const auto peer = from.remote_endpoint(error);
        if (!error && peer.address() == waiting->result.controller) return arrived();
        AwaitConnection(waiting, arrived);
        const auto stranger = std::make_shared<Stranger>(std::move(from));
        waiting->strangers.push_back(stranger);
        if (waiting->strangers.size() > kMostStrangers) {
          waiting->strangers.front()->socket.close(error);  // the controller says its nonce at once
          waiting->strangers.pop_front();
        }
        boost::asio::async_read(stranger->socket, boost::asio::buffer(stranger->said),
                                [arrived, waiting, stranger](const boost::system::error_code& cut, size_t) {
                                  if (!cut && stranger->said == waiting->nonce) arrived();
                                });
      });
}

// Others may send to the port too.
void LinkInboundProbe::AwaitNonce(const std::shared_ptr<Waiting>& waiting,
                                  const std::function<void()>& arrived) {
  waiting->datagrams.async_receive(boost::asio::buffer(waiting->received),
                                   [arrived, waiting](const boost::system::error_code& failed, size_t size) {
                                     if (failed) return;
                                     if (waiting->received.substr(0, size) == waiting->nonce)
                                       return arrived();
                                     AwaitNonce(waiting, arrived);
                                   });
}

void LinkInboundProbe::Ask(const v1::InboundProbeRequest& request) {
  last_sent_ = std::chrono::steady_clock::now();
  waiting_->timer.expires_after(kForAnswer);
  waiting_->timer.async_wait([this, waiting = waiting_](const boost::system::error_code& stopped) {
    if (!stopped && waiting_ == waiting) Finish(Outcome::kNotPossible);
  });
  link_->SendInboundProbe(request);
}

void LinkInboundProbe::Stop() {
  link_ = nullptr;
  if (!waiting_) return;
  waiting_->done = [](const Result&) {};
  Finish(Outcome::kNotPossible);
}

// Sent, or why not. A packet that has come by then has ended the attempt already.
void LinkInboundProbe::OnSent(const v1::InboundProbeSent& sent) {
  if (!waiting_ || sent.probe_id() != waiting_->id) return;
  if (!sent.error().empty()) return Finish(Outcome::kNotPossible);
  waiting_->timer.expires_after(kForPacket);
  waiting_->timer.async_wait([this, waiting = waiting_](const boost::system::error_code& stopped) {
    if (!stopped && waiting_ == waiting) Finish(Outcome::kDidNotArrive);
  });
}

void LinkInboundProbe::Finish(Outcome outcome) {
  const std::shared_ptr<Waiting> ended = std::exchange(waiting_, nullptr);
  boost::system::error_code ignored;
  ended->timer.cancel();
  ended->listener.close(ignored);
  ended->datagrams.close(ignored);
  for (const auto& stranger : ended->strangers) stranger->socket.close(ignored);
  ended->result.outcome = outcome;
  ended->done(ended->result);
}

}  // namespace cordon::agent
