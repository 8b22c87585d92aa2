#include "tests/bench/packet_pump.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <stdexcept>

namespace cordon::testing {
namespace {

constexpr int kReceiveBuffer = 64 * 1024 * 1024;
constexpr std::chrono::milliseconds kLastArrivals(100);

sockaddr_in AddressOf(const char* text, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) throw std::runtime_error("pump: not an address");
  return address;
}

platform::Fd BoundSocket(const PacketPump::Side& side, uint16_t port) {
  const InNetNamespace inside(side.inside);
  platform::Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in address = AddressOf(side.address, port);
  const int one = 1;
  setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  setsockopt(fd.Get(), SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
  if (bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("pump: cannot bind");
  }
  return fd;
}

}  // namespace

PacketPump::PacketPump(const Side& host, const Side& peer) {
  for (const uint16_t port : {kAllowedPort, kForbiddenPort}) {
    Open(host, peer, port);
    Open(peer, host, port);
  }
  receiver_ = std::thread([this] { Receive(); });
  sender_ = std::thread([this] { Send(); });
}

PacketPump::~PacketPump() {
  if (sender_.joinable()) Stop();
}

void PacketPump::Open(const Side& from, const Side& to, uint16_t port) {
  Flow& flow = flows_[opened_++];
  flow.allowed = port == kAllowedPort;
  flow.to = BoundSocket(to, port);
  flow.from = BoundSocket(from, 0);
  const sockaddr_in address = AddressOf(to.address, port);
  if (connect(flow.from.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("pump: cannot connect");
  }
}

// A send that the rules refuse at once (EPERM) is a packet that did not arrive, as any other.
void PacketPump::Send() {
  const char payload[16] = "pump";
  while (sending_) {
    for (Flow& flow : flows_) {
      ++flow.tried;
      static_cast<void>(!send(flow.from.Get(), payload, sizeof(payload), MSG_DONTWAIT));
    }
  }
}

void PacketPump::TakeAll(Flow* flow) {
  std::array<char, 64> payload;
  std::array<char, CMSG_SPACE(sizeof(uint32_t))> control;
  while (true) {
    iovec data{payload.data(), payload.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(flow->to.Get(), &message, MSG_DONTWAIT) < 0) return;
    ++flow->arrived;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&flow->overflowed, CMSG_DATA(header), sizeof(flow->overflowed));
    }
  }
}

void PacketPump::Receive() {
  std::array<pollfd, 4> waits{};
  for (size_t at = 0; at < flows_.size(); ++at) waits[at] = {flows_[at].to.Get(), POLLIN, 0};
  while (receiving_) {
    poll(waits.data(), waits.size(), 10);
    for (Flow& flow : flows_) TakeAll(&flow);
  }
}

PumpCounts PacketPump::Stop() {
  sending_ = false;
  sender_.join();
  std::this_thread::sleep_for(kLastArrivals);
  receiving_ = false;
  receiver_.join();
  PumpCounts counts;
  for (Flow& flow : flows_) {
    TakeAll(&flow);
    (flow.allowed ? counts.sent : counts.forbidden) += flow.tried;
    counts.overflowed += flow.overflowed;
    if (flow.allowed) {
      counts.lost += flow.tried - flow.arrived - flow.overflowed;
    } else {
      counts.leaked += flow.arrived;
    }
  }
  return counts;
}

}  // namespace cordon::testing
