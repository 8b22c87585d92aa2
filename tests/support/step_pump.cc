#include "tests/support/step_pump.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "tests/support/frame.h"
#include "tests/support/socket_address.h"

namespace cordon::testing {
namespace {

constexpr int kReceiveBuffer = 64 * 1024 * 1024;
constexpr std::chrono::microseconds kBetweenRounds(50);
constexpr std::chrono::milliseconds kLastArrivals(200);

// Before the number of a packet: the headers that a raw socket is given or sees. An IPv4 one sees the IP
// header too.
constexpr size_t kTcpHeader = 20;
constexpr uint16_t kSource = 40'000;
constexpr size_t kIpv4Header = 20;

platform::Fd Socket(const NetNamespace& in, int family, bool tcp) {
  const InNetNamespace inside(in);
  const int type = tcp ? SOCK_RAW : SOCK_DGRAM;
  return platform::Fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, tcp ? IPPROTO_TCP : 0));
}

// A raw socket gets every segment of its host: only those to `port`, or none.
void TakeOnly(const platform::Fd& fd, int family, std::optional<uint16_t> port) {
  const uint32_t at = (family == AF_INET ? kIpv4Header : 0) + 2;
  std::vector<sock_filter> program = {BPF_STMT(BPF_RET | BPF_K, 0)};
  if (port) {
    program = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *port, 0, 1),
               BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0)};
  }
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (setsockopt(fd.Get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
    throw std::runtime_error("pump: cannot filter");
}

platform::Fd Receiver(const StepPump::FlowSpec& spec, const SocketAddress& address) {
  platform::Fd fd = Socket(spec.to, address.Family(), spec.tcp);
  const int one = 1;
  setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  setsockopt(fd.Get(), SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
  if (spec.tcp) {
    TakeOnly(fd, address.Family(), spec.port);
  } else if (bind(fd.Get(), address.Get(), address.size) != 0) {
    throw std::runtime_error("pump: cannot bind " + spec.name);
  }
  return fd;
}

bool IsV6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

int InterfaceOf(const StepPump::FlowSpec& spec) {
  const InNetNamespace inside(spec.from);
  return static_cast<int>(if_nametoindex(spec.frame->interface.c_str()));
}

// It receives nothing.
platform::Fd PacketSocket(const StepPump::FlowSpec& spec) {
  const InNetNamespace inside(spec.from);
  platform::Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int bypass = spec.frame->bypass_qdisc ? 1 : 0;
  if (setsockopt(fd.Get(), SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) != 0)
    throw std::runtime_error("pump: no packet socket for " + spec.name);
  return fd;
}

platform::Fd Sender(const StepPump::FlowSpec& spec, const SocketAddress& address) {
  if (spec.frame.has_value()) return PacketSocket(spec);
  platform::Fd fd = Socket(spec.from, address.Family(), spec.tcp);
  const SocketAddress to = spec.tcp ? MakeSocketAddress(spec.address, 0) : address;
  if (spec.tcp) TakeOnly(fd, address.Family(), std::nullopt);
  if (connect(fd.Get(), to.Get(), to.size) != 0)
    throw std::runtime_error("pump: cannot connect " + spec.name);
  return fd;
}

// An ACK without a checksum: rules judge it, and the receiving host's own TCP leaves it alone.
std::array<uint8_t, kTcpHeader> TcpHeader(uint16_t port) {
  std::array<uint8_t, kTcpHeader> header{};
  header[0] = kSource >> 8;
  header[1] = kSource & 0xff;
  header[2] = static_cast<uint8_t>(port >> 8);
  header[3] = static_cast<uint8_t>(port & 0xff);
  header[12] = (kTcpHeader / 4) << 4;
  header[13] = 0x10;
  return header;
}

}  // namespace

StepPump::StepPump(const std::vector<FlowSpec>& flows) {
  for (const FlowSpec& spec : flows) {
    const SocketAddress address = MakeSocketAddress(spec.address, spec.port);
    Flow& flow = flows_.emplace_back();
    flow.name = spec.name;
    flow.tcp = spec.tcp;
    flow.port = spec.port;
    flow.address = spec.address;
    flow.frame = spec.frame;
    if (spec.frame.has_value()) flow.interface = InterfaceOf(spec);
    flow.to = Receiver(spec, address);
    flow.from = Sender(spec, address);
  }
  receiver_ = std::thread([this] { Receive(); });
  sender_ = std::thread([this] { Send(); });
}

StepPump::~StepPump() {
  if (sender_.joinable()) Stop([](size_t, int) { return Verdict::kEither; });
}

ssize_t StepPump::SendNumber(const Flow& flow, uint64_t number) {
  if (flow.frame.has_value()) {
    const Bytes payload(reinterpret_cast<const char*>(&number), sizeof(number));
    const Bytes frame =
        UdpFrame({.from = flow.frame->source, .to = flow.address}, kSource, flow.port, payload);
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_ifindex = flow.interface;
    link.sll_protocol = htons(IsV6(flow.address) ? ETH_P_IPV6 : ETH_P_IP);
    return sendto(flow.from.Get(), frame.data(), frame.size(), MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&link), sizeof(link));
  }
  std::array<uint8_t, kTcpHeader> header = TcpHeader(flow.port);
  std::array<iovec, 2> parts = {{{header.data(), flow.tcp ? header.size() : 0}, {&number, sizeof(number)}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return sendmsg(flow.from.Get(), &message, MSG_DONTWAIT);
}

void StepPump::SendOne(Flow* flow) {
  const uint64_t number = flow->steps.size();
  const int before = step_.load();
  const ssize_t sent = SendNumber(*flow, number);
  const bool tried = sent >= 0 || errno != EAGAIN;  // a refusal by the rules shows as EPERM or ENOBUFS
  flow->steps.push_back(tried && step_.load() == before ? before : kUntold);
}

void StepPump::AwaitARound() const {
  // The one under way may have begun before; the next one has not, and has ended when another begins.
  const uint64_t under_way = rounds_;
  while (rounds_ < under_way + 2) std::this_thread::sleep_for(kBetweenRounds);
}

void StepPump::Send() {
  while (sending_) {
    rounds_.fetch_add(1);
    for (Flow& flow : flows_) SendOne(&flow);
    std::this_thread::sleep_for(kBetweenRounds);
  }
}

void StepPump::TakeAll(Flow* flow) {
  std::array<uint8_t, 128> bytes{};
  std::array<char, CMSG_SPACE(sizeof(uint32_t))> control{};
  while (true) {
    iovec data{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(flow->to.Get(), &message, MSG_DONTWAIT);
    uint64_t number = 0;  // stands at the end
    if (size < static_cast<ssize_t>(sizeof(number))) return;
    std::memcpy(&number, bytes.data() + size - sizeof(number), sizeof(number));
    flow->arrived.push_back(number);
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&flow->not_received, CMSG_DATA(header), sizeof(flow->not_received));
    }
  }
}

void StepPump::Receive() {
  std::vector<pollfd> waits;
  waits.reserve(flows_.size());
  for (const Flow& flow : flows_) waits.push_back({flow.to.Get(), POLLIN, 0});
  while (receiving_) {
    poll(waits.data(), waits.size(), 10);
    for (Flow& flow : flows_) TakeAll(&flow);
  }
}

StepPump::Count StepPump::Judge(const Flow& flow, const std::function<Verdict(int step)>& verdict) {
  std::vector<bool> arrived(flow.steps.size());
  for (const uint64_t number : flow.arrived) {
    if (number < arrived.size()) arrived[number] = true;
  }
  Count count;
  count.not_received = flow.not_received;
  const auto fail = [&](const char* how, size_t number) {
    if (!count.first_failure.empty()) return;
    count.first_failure = flow.name + ": packet " + std::to_string(number) + " of step " +
                          std::to_string(flow.steps[number]) + " " + how;
  };
  for (size_t number = 0; number < flow.steps.size(); ++number) {
    if (flow.steps[number] == kUntold) continue;
    const Verdict what = verdict(flow.steps[number]);
    if (what == Verdict::kMustArrive) ++count.had_to_arrive;
    if (what == Verdict::kMustNotArrive) ++count.had_to_be_stopped;
    if (what == Verdict::kMustArrive && !arrived[number]) {
      ++count.lost;
      fail("was lost", number);
    }
    if (what == Verdict::kMustNotArrive && arrived[number]) {
      ++count.leaked;
      fail("passed", number);
    }
  }
  return count;
}

std::vector<StepPump::Count> StepPump::Stop(const std::function<Verdict(size_t flow, int step)>& verdict) {
  sending_ = false;
  sender_.join();
  std::this_thread::sleep_for(kLastArrivals);
  receiving_ = false;
  receiver_.join();
  std::vector<Count> counts;
  for (size_t at = 0; at < flows_.size(); ++at) {
    TakeAll(&flows_[at]);
    counts.push_back(Judge(flows_[at], [&](int step) { return verdict(at, step); }));
  }
  return counts;
}

}  // namespace cordon::testing
