#pragma once

#include <absl/status/statusor.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cordon::agent {

// The sockets on which programs of this host ask, UDP and TCP: on the loopback addresses 127.0.0.1 and ::1,
// where the packet filter sends whatever goes to port 53, or where the system's DNS client is told to ask.
// Lives on the agent loop.
class GuardServer {
 public:
  // Sends a reply; an empty one sends nothing. May be called later, or never.
  using Reply = std::function<void(std::string bytes)>;
  // `datagram`: the reply has to fit what the client takes.
  using Handler = std::function<void(std::string query, bool datagram, Reply reply)>;

  GuardServer(boost::asio::io_context& loop, Handler handler);
  GuardServer(const GuardServer&) = delete;
  GuardServer& operator=(const GuardServer&) = delete;
  ~GuardServer();

  // Listens on `preferred` when it is free (0: no wish), else on another port, one below 1024 if it may: no
  // program without rights can take it while the agent is being restarted. Returns the port. Does nothing
  // when it listens already. Without IPv6 on this host, on IPv4 only.
  absl::StatusOr<uint16_t> Open(uint16_t preferred);

  // Listens on that port of those of `addresses` that are free now; where it listens already, it goes on.
  // Returns all on which it listens, in the order of `addresses`. UNAVAILABLE, naming address and reason,
  // when there is none. Not together with Open.
  absl::StatusOr<std::vector<boost::asio::ip::address>> OpenAt(
      const std::vector<boost::asio::ip::address>& addresses, uint16_t port);

  void Close();
  uint16_t Port() const;  // 0: closed

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cordon::agent
