#include "tests/support/step_pump.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "tests/support/socket_address.h"

namespace cordon::testing {
namespace {

constexpr int kReceiveBuffer = 64 * 1024 * 1024;
constexpr std::chrono::microseconds kBetweenRounds(50);
constexpr std::chrono::milliseconds kLastArrivals(200);

platform::Fd Receiver(const StepPump::FlowSpec& spec, const SocketAddress& address) {
  const InNetNamespace inside(spec.to);
  platform::Fd fd(socket(address.Family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int one = 1;
  setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  setsockopt(fd.Get(), SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
  if (bind(fd.Get(), address.Get(), address.size) != 0)
    throw std::runtime_error("pump: cannot bind " + spec.name);
  return fd;
}

platform::Fd Sender(const StepPump::FlowSpec& spec, const SocketAddress& address) {
  const InNetNamespace inside(spec.from);
  platform::Fd fd(socket(address.Family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(fd.Get(), address.Get(), address.size) != 0)
    throw std::runtime_error("pump: cannot connect " + spec.name);
  return fd;
}

}  // namespace

StepPump::StepPump(const std::vector<FlowSpec>& flows) {
  for (const FlowSpec& spec : flows) {
    const SocketAddress address = MakeSocketAddress(spec.address, spec.port);
    Flow& flow = flows_.emplace_back();
    flow.name = spec.name;
    flow.to = Receiver(spec, address);
    flow.from = Sender(spec, address);
  }
  receiver_ = std::thread([this] { Receive(); });
  sender_ = std::thread([this] { Send(); });
}

StepPump::~StepPump() {
  if (sender_.joinable()) Stop([](size_t, int) { return Verdict::kEither; });
}

void StepPump::SendOne(Flow* flow) {
  const uint64_t number = flow->steps.size();
  const int before = step_.load();
  const ssize_t sent = send(flow->from.Get(), &number, sizeof(number), MSG_DONTWAIT);
  const bool tried = sent >= 0 || errno != EAGAIN;  // a refusal by the rules shows as EPERM or ENOBUFS
  flow->steps.push_back(tried && step_.load() == before ? before : kUntold);
}

void StepPump::Send() {
  while (sending_) {
    for (Flow& flow : flows_) SendOne(&flow);
    std::this_thread::sleep_for(kBetweenRounds);
  }
}

void StepPump::TakeAll(Flow* flow) {
  uint64_t number = 0;
  std::array<char, CMSG_SPACE(sizeof(uint32_t))> control{};
  while (true) {
    iovec data{&number, sizeof(number)};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(flow->to.Get(), &message, MSG_DONTWAIT) != sizeof(number)) return;
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
