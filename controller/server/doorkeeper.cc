#include "controller/server/doorkeeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "common/base/network.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace cordon::controller {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kBreath{
    100};  // after accept failed: descriptors need a moment to come back
constexpr int64_t kReportEveryNanos = 10 * kNanosPerSecond;

// The clients of one place: what an attacker has many of counts as one.
std::string SourceKey(asio::ip::address source) {
  if (source.is_v6() && source.to_v6().is_v4_mapped()) {
    source = asio::ip::make_address_v4(asio::ip::v4_mapped, source.to_v6());
  }
  if (source.is_v4()) return source.to_string();
  auto bytes = source.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return asio::ip::address_v6(bytes).to_string();
}

// Both families where all addresses are meant.
absl::StatusOr<tcp::endpoint> EndpointOf(const std::string& listen) {
  const bool any_port =
      listen.ends_with(":0");  // which no peer could be told, so that ParseHostPort refuses it
  CORDON_ASSIGN_OR_RETURN(HostPort at,
                          ParseHostPort(any_port ? listen.substr(0, listen.size() - 1) + "1" : listen));
  if (any_port) at.port = 0;
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(at.host, error);
  if (error) {
    return absl::InvalidArgumentError(
        StrCat("cannot listen at ", listen, ": give an address of this machine, not a name"));
  }
  if (address.is_unspecified()) return tcp::endpoint(asio::ip::address_v6::any(), at.port);
  return tcp::endpoint(address, at.port);
}

class AsioDoorkeeper final : public Doorkeeper {
 public:
  AsioDoorkeeper(const DoorLimits& limits, const Clock& clock)
      : limits_(limits), clock_(clock), sources_(limits.per_source), acceptor_(loop_), timer_(loop_) {}
  ~AsioDoorkeeper() override { Stop(); }

  absl::Status Listen(const tcp::endpoint& endpoint, const std::string& listen) {
    const boost::system::error_code error = TryListen(endpoint);
    // A machine without IPv6.
    if (error == asio::error::address_family_not_supported && endpoint.address().is_unspecified()) {
      return Listening(TryListen(tcp::endpoint(asio::ip::address_v4::any(), endpoint.port())), listen);
    }
    return Listening(error, listen);
  }

  int Port() const override { return acceptor_.local_endpoint().port(); }

  void Start(Welcome welcome) override {
    welcome_ = std::move(welcome);
    Accept();
    thread_ = std::thread([this] { loop_.run(); });
  }

  void Stop() override {
    if (!thread_.joinable()) return;
    asio::post(loop_, [this] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
      timer_.cancel();
    });
    thread_.join();
    Report();
  }

 private:
  static absl::Status Listening(const boost::system::error_code& error, const std::string& listen) {
    if (!error) return absl::OkStatus();
    return absl::UnavailableError(StrCat("cannot listen on ", listen, ": ", error.message(),
                                         ": is the address this machine's, and the port free?"));
  }

  boost::system::error_code TryListen(const tcp::endpoint& endpoint) {
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (error) return error;
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) {
      acceptor_.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
    }
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
    }
    return error;
  }

  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (error) {
        if (failures_++ == 0) spdlog::warn("no connection can be accepted now: {}", error.message());
        WaitABreath();
        return;
      }
      Judge(std::move(socket));
      ReportInTime();
      Accept();
    });
  }

  void WaitABreath() {
    timer_.expires_after(kBreath);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      ReportInTime();
      Accept();
    });
  }

  void Judge(tcp::socket socket) {
    boost::system::error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (error) return;  // it has gone already
    // The kernel gives the lowest free number: with this one, all below it are in use.
    if (static_cast<uint64_t>(socket.native_handle()) + limits_.spare_files >= limits_.files) {
      ++too_many_;
      return;
    }
    if (!sources_.Admit(peer.address(), clock_.BootNanos())) {
      ++too_fast_;
      last_too_fast_ = peer.address().to_string();
      return;
    }
    socket.set_option(tcp::no_delay(true), error);
    socket.native_non_blocking(true, error);  // as gRPC wants it
    if (error) return;
    const int fd = socket.release(error);
    if (!error) welcome_(fd);
  }

  void ReportInTime() {
    if (clock_.BootNanos() < next_report_) return;
    next_report_ = clock_.BootNanos() + kReportEveryNanos;
    Report();
  }

  void Report() {
    if (too_many_ > 0) {
      spdlog::error("{} connections were refused: this process may have {} files open; raise LimitNOFILE",
                    too_many_, limits_.files);
    }
    if (too_fast_ > 0) {
      spdlog::error("{} connections were refused: too many from one source, the last one from {}", too_fast_,
                    last_too_fast_);
    }
    if (failures_ > 1) spdlog::error("accepting a connection failed {} times", failures_);
    too_many_ = too_fast_ = failures_ = 0;
  }

  const DoorLimits limits_;
  const Clock& clock_;
  SourceLimit sources_;
  asio::io_context loop_;
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  Welcome welcome_;
  uint64_t too_many_ = 0;
  uint64_t too_fast_ = 0;
  uint64_t failures_ = 0;
  std::string last_too_fast_;
  int64_t next_report_ = 0;
  std::thread thread_;
};

}  // namespace

DoorLimits WithFiles(DoorLimits limits, uint64_t files) {
  limits.files = files;
  limits.per_source.burst = std::min(limits.per_source.burst, static_cast<double>(files) / 4);
  return limits;
}

bool SourceLimit::Admit(const boost::asio::ip::address& source, int64_t now_boot_nanos) {
  return BucketOf(SourceKey(source), now_boot_nanos).Take(1, now_boot_nanos);
}

TokenBucket& SourceLimit::BucketOf(const std::string& key, int64_t now_boot_nanos) {
  const auto known = by_source_.find(key);
  if (known != by_source_.end()) return known->second;
  if (by_source_.size() >= kMaxSources) {
    std::erase_if(by_source_, [&](const auto& entry) { return entry.second.Full(now_boot_nanos); });
  }
  const bool full = by_source_.size() >= kMaxSources;
  return by_source_.try_emplace(full ? "others" : key, rate_, now_boot_nanos).first->second;
}

absl::StatusOr<std::unique_ptr<Doorkeeper>> Doorkeeper::Open(const std::string& listen,
                                                             const DoorLimits& limits, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, EndpointOf(listen));
  auto doorkeeper = std::make_unique<AsioDoorkeeper>(limits, clock);
  CORDON_RETURN_IF_ERROR(doorkeeper->Listen(endpoint, listen));
  return doorkeeper;
}

}  // namespace cordon::controller
