#include "agent/names/guard_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/base/network.h"
#include "common/base/status.h"
#include "platform/api/held_port.h"

namespace cordon::agent {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using boost::system::error_code;

constexpr uint16_t kFirstPort = 1'011;
constexpr uint16_t kLastPort = 900;
constexpr size_t kMaxQueryBytes = 4'096;
constexpr size_t kMaxClients = 64;  // TCP
constexpr std::chrono::seconds kIdle(10);
constexpr std::chrono::milliseconds kAfterFailure(100);

std::vector<boost::asio::ip::address> LoopbackAddresses() {
  return {boost::asio::ip::address_v4::loopback(), boost::asio::ip::address_v6::loopback()};
}

// One program's connection: a query, its reply, the next query.
class TcpClient : public std::enable_shared_from_this<TcpClient> {
 public:
  TcpClient(tcp::socket socket, GuardServer::Handler handler, std::function<void()> gone)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        handler_(std::move(handler)),
        gone_(std::move(gone)) {}

  void Read() {
    timer_.expires_after(kIdle);
    timer_.async_wait([self = weak_from_this()](const error_code& error) {
      if (const auto alive = self.lock(); alive && !error) alive->Close();
    });
    boost::asio::async_read(
        socket_, boost::asio::buffer(length_), [self = shared_from_this()](const error_code& error, size_t) {
          const size_t size = size_t{self->length_[0]} << 8U | self->length_[1];
          if (error || size > kMaxQueryBytes) return self->Close();
          self->bytes_.resize(size);
          boost::asio::async_read(
              self->socket_, boost::asio::buffer(self->bytes_), [self](const error_code& cut, size_t) {
                if (cut) return self->Close();
                self->handler_(std::move(self->bytes_), false,
                               [self](std::string reply) { self->Write(std::move(reply)); });
              });
        });
  }

  void Close() {
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    if (auto gone = std::exchange(gone_, nullptr)) gone();
  }

 private:
  void Write(std::string reply) {
    if (reply.empty() || reply.size() > 0xffffU || !socket_.is_open()) return Close();
    bytes_ = {static_cast<char>(reply.size() >> 8U), static_cast<char>(reply.size() & 0xffU)};
    bytes_ += reply;
    boost::asio::async_write(socket_, boost::asio::buffer(bytes_),
                             [self = shared_from_this()](const error_code& error, size_t) {
                               if (error) return self->Close();
                               self->Read();
                             });
  }

  tcp::socket socket_;
  boost::asio::steady_timer timer_;
  const GuardServer::Handler handler_;
  std::function<void()> gone_;
  std::array<uint8_t, 2> length_{};
  std::string bytes_;
};

}  // namespace

struct GuardServer::Impl : std::enable_shared_from_this<GuardServer::Impl> {
  struct Datagrams {
    explicit Datagrams(udp::socket bound) : socket(std::move(bound)) {}
    udp::socket socket;
    udp::endpoint from;
    std::array<char, kMaxQueryBytes> buffer{};
  };

  Impl(boost::asio::io_context& on, Handler with) : loop(on), handler(std::move(with)) {}

  // Both kinds of socket on both addresses, or none.
  absl::Status Bind(uint16_t wanted) {
    Close();
    for (const auto& address : LoopbackAddresses()) {
      const absl::Status bound = BindTo(address, port == 0 ? wanted : port);
      if (bound.ok()) continue;
      if (address.is_v6() && absl::IsUnimplemented(bound)) continue;
      Close();
      return bound;
    }
    return absl::OkStatus();
  }

  absl::Status BindTo(const boost::asio::ip::address& address, uint16_t wanted) {
    error_code error;
    udp::socket datagrams(loop);
    tcp::acceptor acceptor(loop);
    datagrams.open(address.is_v4() ? udp::v4() : udp::v6(), error);
    if (!error) acceptor.open(address.is_v4() ? tcp::v4() : tcp::v6(), error);
    if (error) return absl::UnimplementedError(error.message());
    if (address.is_v6()) {
      datagrams.set_option(boost::asio::ip::v6_only(true), error);
      acceptor.set_option(boost::asio::ip::v6_only(true), error);
    }
    CORDON_RETURN_IF_ERROR(platform::HoldPortAlone(static_cast<int>(datagrams.native_handle())));
    CORDON_RETURN_IF_ERROR(platform::HoldPortAlone(static_cast<int>(acceptor.native_handle())));
    datagrams.bind({address, wanted}, error);
    if (address.is_v6() && error == boost::system::errc::address_not_available)
      return absl::UnimplementedError(error.message());  // IPv6 is switched off
    if (error) return absl::UnavailableError(error.message());
    const uint16_t got = datagrams.local_endpoint(error).port();
    acceptor.bind({address, got}, error);
    if (!error) acceptor.listen(static_cast<int>(kMaxClients), error);
    if (error) return absl::UnavailableError(error.message());
    port = got;
    addresses.push_back(address);
    auto held = std::make_shared<Datagrams>(std::move(datagrams));
    sockets.push_back(held);
    acceptors.push_back(std::make_shared<tcp::acceptor>(std::move(acceptor)));
    Receive(held);
    Accept(acceptors.back());
    return absl::OkStatus();
  }

  void Receive(const std::shared_ptr<Datagrams>& on) {
    on->socket.async_receive_from(
        boost::asio::buffer(on->buffer), on->from,
        [self = shared_from_this(), on](const error_code& error, size_t size) {
          if (!on->socket.is_open()) return;
          // An error is about an earlier reply that nobody took.
          if (!error) {
            self->handler(std::string(on->buffer.data(), size), true, [on, to = on->from](std::string reply) {
              error_code ignored;
              if (!reply.empty() && on->socket.is_open())
                on->socket.send_to(boost::asio::buffer(reply), to, 0, ignored);
            });
          }
          self->Receive(on);
        });
  }

  void Accept(const std::shared_ptr<tcp::acceptor>& at) {
    at->async_accept([self = shared_from_this(), at](const error_code& error, tcp::socket socket) {
      if (!at->is_open()) return;
      if (error) return self->AcceptLater(at);
      if (self->clients.size() < kMaxClients) self->Serve(std::move(socket));
      self->Accept(at);
    });
  }

  // A program that waits to be accepted while the agent has no descriptor left fails each attempt at once:
  // without a pause the agent loop would do nothing else.
  void AcceptLater(const std::shared_ptr<tcp::acceptor>& at) {
    const auto pause = std::make_shared<boost::asio::steady_timer>(loop, kAfterFailure);
    pause->async_wait([self = shared_from_this(), at, pause](const error_code&) {
      if (at->is_open()) self->Accept(at);
    });
  }

  void Serve(tcp::socket socket) {
    const auto own = std::make_shared<std::weak_ptr<TcpClient>>();
    const auto client =
        std::make_shared<TcpClient>(std::move(socket), handler, [self = weak_from_this(), own] {
          if (const auto alive = self.lock()) alive->clients.erase(own->lock());
        });
    *own = client;
    clients.insert(client);
    client->Read();
  }

  void Close() {
    error_code ignored;
    for (const auto& socket : sockets) socket->socket.close(ignored);
    for (const auto& acceptor : acceptors) acceptor->close(ignored);
    sockets.clear();
    acceptors.clear();
    addresses.clear();
    for (const auto& client : std::exchange(clients, {})) client->Close();
    port = 0;
  }

  boost::asio::io_context& loop;
  const Handler handler;
  uint16_t port = 0;
  std::vector<boost::asio::ip::address> addresses;  // that are listened on
  std::vector<std::shared_ptr<Datagrams>> sockets;
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
  std::set<std::shared_ptr<TcpClient>> clients;
};

GuardServer::GuardServer(boost::asio::io_context& loop, Handler handler)
    : impl_(std::make_shared<Impl>(loop, std::move(handler))) {}

GuardServer::~GuardServer() {
  impl_->Close();
}

absl::StatusOr<uint16_t> GuardServer::Open(uint16_t preferred) {
  if (impl_->port != 0) return impl_->port;
  absl::Status bound = preferred == 0 ? absl::UnavailableError("") : impl_->Bind(preferred);
  for (uint16_t port = kFirstPort; !bound.ok() && port >= kLastPort; --port) bound = impl_->Bind(port);
  if (!bound.ok()) bound = impl_->Bind(0);
  if (!bound.ok()) return Annotate(bound, "the DNS guard finds no port on the loopback addresses");
  return impl_->port;
}

absl::StatusOr<std::vector<boost::asio::ip::address>> GuardServer::OpenAt(
    const std::vector<boost::asio::ip::address>& addresses, uint16_t port) {
  std::vector<boost::asio::ip::address> open;
  std::string problems;
  for (const auto& address : addresses) {
    const bool listens = std::ranges::find(impl_->addresses, address) != impl_->addresses.end();
    const absl::Status bound = listens ? absl::OkStatus() : impl_->BindTo(address, port);
    if (bound.ok()) {
      open.push_back(address);
    } else {
      StrAppend(&problems, problems.empty() ? "" : "; ", FormatEndpoint({address, port}), ": ",
                Message(bound));
    }
  }
  if (!open.empty()) return open;
  return absl::UnavailableError(
      StrCat("the DNS guard cannot listen (", problems, "); end the program that holds the port"));
}

void GuardServer::Close() {
  impl_->Close();
}

uint16_t GuardServer::Port() const {
  return impl_->port;
}

}  // namespace cordon::agent
