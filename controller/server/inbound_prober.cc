#include "controller/server/inbound_prober.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "common/base/network.h"
#include "common/base/status.h"

namespace cordon::controller {
namespace {

namespace ip = boost::asio::ip;

// Long enough for a handshake over a slow line and one repeated SYN; then the attempt is over either way.
constexpr std::chrono::milliseconds kPatience(1'500);
constexpr size_t kNonceBytes = 16;

std::string Decoded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const std::string_view code = text.substr(at, 3);
    if (code == "%5B" || code == "%5D") {
      out.push_back(code == "%5B" ? '[' : ']');
      at += 2;
    } else {
      out.push_back(text[at]);
    }
  }
  return out;
}

absl::Status CheckRequest(const v1::InboundProbeRequest& request) {
  if (request.port() == 0 || request.port() > 65'535) {
    return absl::InvalidArgumentError("inbound probe: the port is not 1 to 65535");
  }
  if (request.protocol() == v1::TRANSPORT_PROTOCOL_TCP) return absl::OkStatus();
  if (request.protocol() != v1::TRANSPORT_PROTOCOL_UDP) {
    return absl::InvalidArgumentError("inbound probe: the protocol is neither TCP nor UDP");
  }
  if (request.nonce().size() == kNonceBytes) return absl::OkStatus();
  return absl::InvalidArgumentError("inbound probe: the nonce is not 16 bytes");
}

}  // namespace

absl::StatusOr<ip::address> PeerAddress(std::string_view peer) {
  const size_t colon = peer.find(':');
  const std::string_view family = peer.substr(0, std::min(colon, peer.size()));
  if (family == "ipv4" || family == "ipv6") {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(Decoded(peer.substr(colon + 1)));
    boost::system::error_code error;
    const ip::address address = ip::make_address(parsed.ok() ? parsed->host : "", error);
    if (!error) return address;
  }
  return absl::UnavailableError(StrCat("the host's connection comes from no IP address (", peer, ")"));
}

struct InboundProber::Attempt {
  Attempt(boost::asio::thread_pool& pool, std::string says)
      : socket(pool), timer(pool), nonce(std::move(says)) {}
  ip::tcp::socket socket;
  boost::asio::steady_timer timer;
  const std::string nonce;  // empty: from an agent that asks for the connection alone
};

InboundProber::~InboundProber() {
  pool_.stop();
  pool_.join();
}

absl::Status InboundProber::Admit(const std::string& host_id, int64_t now_boot_nanos) {
  const std::lock_guard lock(mutex_);
  if (last_.size() >= kMaxHostsRemembered) last_.clear();
  const auto [entry, is_new] = last_.try_emplace(host_id, now_boot_nanos);
  if (!is_new && now_boot_nanos - entry->second < kIntervalNanos) {
    return absl::ResourceExhaustedError("at most one inbound probe a second is made for a host");
  }
  entry->second = now_boot_nanos;
  return absl::OkStatus();
}

absl::Status InboundProber::Send(const std::string& host_id, std::string_view peer,
                                 const v1::InboundProbeRequest& request, int64_t now_boot_nanos) {
  CORDON_RETURN_IF_ERROR(CheckRequest(request));
  CORDON_ASSIGN_OR_RETURN(const ip::address address, PeerAddress(peer));
  CORDON_RETURN_IF_ERROR(Admit(host_id, now_boot_nanos));
  const auto port = static_cast<uint16_t>(request.port());
  if (request.protocol() == v1::TRANSPORT_PROTOCOL_UDP) return SendDatagram(address, port, request.nonce());
  if (under_way_ >= kMaxAtATime) return absl::ResourceExhaustedError("too many inbound probes at a time");
  Connect(address, port, request.nonce().size() == kNonceBytes ? request.nonce() : "");
  return absl::OkStatus();
}

// Says the nonce, by which the host tells it from connections of others, and is closed.
void InboundProber::Connect(const ip::address& address, uint16_t port, const std::string& nonce) {
  ++under_way_;
  const auto attempt = std::make_shared<Attempt>(pool_, nonce);
  boost::asio::post(pool_, [this, attempt, address, port] {
    attempt->timer.expires_after(kPatience);
    attempt->timer.async_wait([attempt](const boost::system::error_code&) {
      boost::system::error_code ignored;
      attempt->socket.close(ignored);
    });
    attempt->socket.async_connect(
        ip::tcp::endpoint(address, port), [this, attempt](const boost::system::error_code& failed) {
          boost::system::error_code ignored;  // a nonce fits the socket's buffer
          if (!failed) boost::asio::write(attempt->socket, boost::asio::buffer(attempt->nonce), ignored);
          attempt->timer.cancel();
          --under_way_;
        });
  });
}

absl::Status InboundProber::SendDatagram(const ip::address& address, uint16_t port,
                                         const std::string& nonce) {
  ip::udp::socket socket(pool_);
  boost::system::error_code error;
  socket.open(address.is_v4() ? ip::udp::v4() : ip::udp::v6(), error);
  if (!error) socket.send_to(boost::asio::buffer(nonce), ip::udp::endpoint(address, port), 0, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot send to ", address.to_string(), ": ", error.message()));
}

}  // namespace cordon::controller
