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

constexpr long kVerdictMicros = 250'000;

// WFP's block at the connect layer is told to the program. An answer of the other side has come to a packet.
SendOutcome OutcomeOf(int error) {
  switch (error) {
    case WSAEACCES:
      return SendOutcome::kBlocked;
    case NO_ERROR:
    case WSAEWOULDBLOCK:
    case WSAECONNREFUSED:
    case WSAECONNRESET:
    case WSAETIMEDOUT:
      return SendOutcome::kSent;
    default:
      return SendOutcome::kNotPossible;
  }
}

// ISO-7: a connect that does not wait returns before WFP has judged it. A block is told within milliseconds;
// no word by the end of the wait means that the SYN is on its way.
SendOutcome VerdictOn(SOCKET socket) {
  fd_set connected;
  fd_set failed;
  FD_ZERO(&connected);
  FD_ZERO(&failed);
  FD_SET(socket, &connected);
  FD_SET(socket, &failed);
  timeval patience{.tv_sec = 0, .tv_usec = kVerdictMicros};
  const int told = select(0, nullptr, &connected, &failed, &patience);
  if (told == SOCKET_ERROR) return SendOutcome::kNotPossible;
  if (told == 0 || !FD_ISSET(socket, &failed)) return SendOutcome::kSent;
  int error = NO_ERROR;
  int size = sizeof(error);
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size) != 0)
    return SendOutcome::kNotPossible;
  return OutcomeOf(error);
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

  // An ordinary connect that is given up soon: WFP judges it before its SYN is made, and tells.
  SendOutcome TcpSyn(const Endpoint& to) override {
    const Address address = ToAddress(to);
    const Socket socket(address.family, SOCK_STREAM);
    u_long without_waiting = 1;
    if (!socket.Valid() || ioctlsocket(socket.Get(), FIONBIO, &without_waiting) != 0)
      return SendOutcome::kNotPossible;
    if (connect(socket.Get(), address.Get(), address.size) == 0) return SendOutcome::kSent;
    const int error = WSAGetLastError();
    return error == WSAEWOULDBLOCK ? VerdictOn(socket.Get()) : OutcomeOf(error);
  }

  // Windows lets no program send frames without a driver.
  SendOutcome Frame(const std::string& /*link*/, const Endpoint& /*to*/) override {
    return SendOutcome::kNotPossible;
  }

  // Nor packets with a checksum of its own; an ordinary connect would be met by the other side.
  SendOutcome Dud(FlowProtocol /*protocol*/, const Endpoint& /*to*/, uint32_t /*mark*/) override {
    return SendOutcome::kNotPossible;
  }
};

}  // namespace

std::unique_ptr<PacketSender> MakePacketSender() {
  return std::make_unique<WindowsPacketSender>();
}

}  // namespace cordon::platform
