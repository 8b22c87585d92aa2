#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "common/base/status.h"
#include "platform/api/flow_source.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* Get() { return reinterpret_cast<sockaddr*>(&storage); }
};

bool IsUsable(const ifaddrs& one) {
  if (one.ifa_addr == nullptr || (one.ifa_flags & IFF_UP) == 0 || (one.ifa_flags & IFF_LOOPBACK) != 0)
    return false;
  if (one.ifa_addr->sa_family == AF_INET) return true;
  if (one.ifa_addr->sa_family != AF_INET6) return false;
  sockaddr_in6 address{};
  std::memcpy(&address, one.ifa_addr, sizeof(address));
  return !IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr);
}

// Port 0. Nothing when the host has only loopback.
std::optional<Address> OwnAddress() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return std::nullopt;
  std::optional<Address> found;
  for (const ifaddrs* one = all; one != nullptr && !found; one = one->ifa_next) {
    if (!IsUsable(*one)) continue;
    found.emplace();
    found->size = one->ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&found->storage, one->ifa_addr, found->size);
  }
  freeifaddrs(all);
  return found;
}

Endpoint EndpointOf(const Address& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof(v4));
    return {boost::asio::ip::address_v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address.storage, sizeof(v6));
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return {boost::asio::ip::address_v6(bytes), ntohs(v6.sin6_port)};
}

absl::Status Failed(std::string_view what) {
  return absl::ErrnoToStatus(errno, StrCat("cannot make traffic with itself: ", what));
}

// A socket at a port of `*address` that the system chooses; the port is written into it.
absl::StatusOr<Fd> Bound(int type, Address* address) {
  Fd fd(socket(address->storage.ss_family, type | SOCK_CLOEXEC, 0));
  if (!fd.Valid() || bind(fd.Get(), address->Get(), address->size) != 0) return Failed("bind");
  if (getsockname(fd.Get(), address->Get(), &address->size) != 0) return Failed("getsockname");
  return fd;
}

class Sockets final : public OwnTraffic {
 public:
  absl::Status Prepare(const Address& address) {
    tcp_at_ = udp_at_ = address;
    CORDON_ASSIGN_OR_RETURN(listener_, Bound(SOCK_STREAM, &tcp_at_));
    if (listen(listener_.Get(), 1) != 0) return Failed("listen");
    CORDON_ASSIGN_OR_RETURN(receiver_, Bound(SOCK_DGRAM, &udp_at_));
    return absl::OkStatus();
  }

  Endpoint Tcp() const override { return EndpointOf(tcp_at_); }
  Endpoint Udp() const override { return EndpointOf(udp_at_); }

  absl::Status Happen() override {
    client_ = Fd(socket(tcp_at_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(client_.Get(), tcp_at_.Get(), tcp_at_.size) != 0) return Failed("connect");
    const Fd sender(socket(udp_at_.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (sendto(sender.Get(), "canary", 6, 0, udp_at_.Get(), udp_at_.size) < 0) {
      return Failed("send a datagram");
    }
    return absl::OkStatus();
  }

 private:
  Address tcp_at_;
  Address udp_at_;
  Fd listener_;
  Fd receiver_;
  Fd client_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OwnTraffic>> MakeOwnTraffic() {
  const std::optional<Address> address = OwnAddress();
  if (!address) return absl::NotFoundError("this host has no address but loopback");
  auto sockets = std::make_unique<Sockets>();
  CORDON_RETURN_IF_ERROR(sockets->Prepare(*address));
  return sockets;
}

}  // namespace cordon::platform
