#pragma once

// One packet to a host that asks for it, so that it can tell whether inbound packets pass its rules (ISO-7).

#include <absl/status/statusor.h>

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

// The address in gRPC's name of a peer: "ipv4:10.0.0.7:4711", "ipv6:%5Bfd00::7%5D:4711".
absl::StatusOr<boost::asio::ip::address> PeerAddress(std::string_view peer);

// Thread-safe. No reflector (AUT-6): a packet goes only to the address from which the asking connection
// comes, and at most one a second per host.
class InboundProber {
 public:
  static constexpr int64_t kIntervalNanos = 1'000'000'000;
  static constexpr size_t kMaxHostsRemembered = 100'000;
  static constexpr int kMaxAtATime = 1'024;

  // Ends what is under way.
  ~InboundProber();

  // Starts the attempt and does not wait for it. Why it was not made: INVALID_ARGUMENT a bad port, protocol
  // or nonce; RESOURCE_EXHAUSTED too many; UNAVAILABLE no way to the host.
  absl::Status Send(const std::string& host_id, std::string_view peer, const v1::InboundProbeRequest& request,
                    int64_t now_boot_nanos);

 private:
  struct Attempt;

  absl::Status Admit(const std::string& host_id, int64_t now_boot_nanos);
  void Connect(const boost::asio::ip::address& address, uint16_t port, const std::string& nonce);
  absl::Status SendDatagram(const boost::asio::ip::address& address, uint16_t port, const std::string& nonce);

  std::mutex mutex_;
  std::unordered_map<std::string, int64_t> last_;  // guarded by mutex_
  std::atomic<int> under_way_ = 0;
  boost::asio::thread_pool pool_{1};
};

}  // namespace cordon::controller
