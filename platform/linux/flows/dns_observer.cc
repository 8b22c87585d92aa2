#include "platform/api/dns_observer.h"

#include <absl/status/statusor.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "platform/linux/flows/udp_payload.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr uint32_t kMostBytes = 4'096 + 64;

// On packets as they begin at the IP header: UDP from port 53, first fragments, that are not on their way
// out.
constexpr std::array<sock_filter, 19> kFromPort53 = {{
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 16, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 8, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 12),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 10),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1FFF, 8, 0),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
    BPF_JUMP(BPF_JMP | BPF_JA, 3, 0, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),  // version 6
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 3),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 53, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kMostBytes),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

// The filter stands before the first packet can come: the socket hears nothing until it is bound.
absl::StatusOr<Fd> OpenFiltered() {
  Fd socket_fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_fd.Valid()) return absl::ErrnoToStatus(errno, "cannot look at DNS answers");
  std::array<sock_filter, kFromPort53.size()> program = kFromPort53;
  const sock_fprog filter{static_cast<uint16_t>(program.size()), program.data()};
  if (setsockopt(socket_fd.Get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0) {
    return absl::ErrnoToStatus(errno, "cannot look at DNS answers: no filter");
  }
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  everywhere.sll_protocol = htons(ETH_P_ALL);
  if (bind(socket_fd.Get(), reinterpret_cast<const sockaddr*>(&everywhere), sizeof(everywhere)) != 0) {
    return absl::ErrnoToStatus(errno, "cannot look at DNS answers: not bound");
  }
  return socket_fd;
}

class PacketDnsObserver final : public DnsObserver {
 public:
  ~PacketDnsObserver() override { PacketDnsObserver::Stop(); }

  absl::Status Start(std::function<void(std::string_view)> deliver) override {
    absl::StatusOr<Fd> opened = OpenFiltered();
    if (!opened.ok()) return opened.status();
    socket_ = *std::move(opened);
    stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_.Valid()) return absl::ErrnoToStatus(errno, "cannot look at DNS answers: no eventfd");
    deliver_ = std::move(deliver);
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
    return absl::OkStatus();
  }

  void Stop() override {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    eventfd_write(stop_.Get(), 1);
    thread_.join();
  }

 private:
  void Run(const std::stop_token& stop) {
    std::array<char, kMostBytes> packet;
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> waits{{{socket_.Get(), POLLIN, 0}, {stop_.Get(), POLLIN, 0}}};
      poll(waits.data(), waits.size(), -1);
      ssize_t size = 0;
      while ((size = recv(socket_.Get(), packet.data(), packet.size(), 0)) > 0 && !stop.stop_requested()) {
        const auto message = UdpPayload({packet.data(), static_cast<size_t>(size)});
        if (message) deliver_(*message);
      }
    }
  }

  Fd socket_;
  Fd stop_;
  std::function<void(std::string_view)> deliver_;
  std::jthread thread_;  // last: uses all of the above
};

}  // namespace

std::unique_ptr<DnsObserver> MakeDnsObserver() {
  return std::make_unique<PacketDnsObserver>();
}

}  // namespace cordon::platform
