#include "platform/api/packet_sender.h"

#include <cstring>

#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

class Socket {
 public:
  Socket(int family, int type) : socket_(socket(family, type, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (Valid()) closesocket(socket_);
  }
  bool Valid() const { return socket_ != INVALID_SOCKET; }
  SOCKET Get() const { return socket_; }

 private:
  SOCKET socket_;
};

struct Address {
  sockaddr_storage storage{};
  int size = 0;
  int family = AF_INET;
  const sockaddr* Get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address ToAddress(const Endpoint& to) {
  Address address;
  if (to.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(to.port);
    v4.sin_addr.s_addr = htonl(to.address.to_v4().to_uint());
    std::memcpy(&address.storage, &v4, sizeof(v4));
    address.size = sizeof(v4);
    return address;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(to.port);
  const auto bytes = to.address.to_v6().to_bytes();
  std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
  std::memcpy(&address.storage, &v6, sizeof(v6));
  address.size = sizeof(v6);
  address.family = AF_INET6;
  return address;
}

// WFP's block at the connect layer is told to the program.
SendOutcome OutcomeOf(int error) {
  if (error == WSAEACCES) return SendOutcome::kBlocked;
  return error == WSAEWOULDBLOCK ? SendOutcome::kSent : SendOutcome::kNotPossible;
}

class WindowsPacketSender final : public PacketSender {
 public:
  SendOutcome Udp(const Endpoint& to) override {
    const Address address = ToAddress(to);
    const Socket socket(address.family, SOCK_DGRAM);
    if (!socket.Valid()) return SendOutcome::kNotPossible;
    constexpr char kByte = 0;
    if (sendto(socket.Get(), &kByte, 1, 0, address.Get(), address.size) == 1) return SendOutcome::kSent;
    return OutcomeOf(WSAGetLastError());
  }

  // An ordinary connect that is given up at once: WFP judges it before its SYN is made, and tells.
  SendOutcome TcpSyn(const Endpoint& to) override {
    const Address address = ToAddress(to);
    const Socket socket(address.family, SOCK_STREAM);
    u_long without_waiting = 1;
    if (!socket.Valid() || ioctlsocket(socket.Get(), FIONBIO, &without_waiting) != 0)
      return SendOutcome::kNotPossible;
    if (connect(socket.Get(), address.Get(), address.size) == 0) return SendOutcome::kSent;
    return OutcomeOf(WSAGetLastError());
  }

  // Windows lets no program send frames without a driver.
  SendOutcome Frame(const std::string& /*link*/, const Endpoint& /*to*/) override {
    return SendOutcome::kNotPossible;
  }
};

}  // namespace

std::unique_ptr<PacketSender> MakePacketSender() {
  return std::make_unique<WindowsPacketSender>();
}

}  // namespace cordon::platform
