// What every flow source promises, on the real kernel: real connections between two network namespaces.

#include "platform/api/flow_source.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "platform/linux/flows/ebpf_flow_source.h"
#include "platform/linux/flows/polling_flow_source.h"
#include "platform/linux/system/agent_mark.h"
#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"
#include "tests/support/socket_address.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::Fd;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::RawFlow;

constexpr const char* kEbpf = "ebpf";
constexpr const char* kEbpfAtConnect = "ebpf-at-connect";
constexpr const char* kPolling = "polling";

std::unique_ptr<platform::FlowSource> Make(std::string_view name) {
  if (name == kEbpf) return std::make_unique<platform::EbpfFlowSource>();
  if (name == kEbpfAtConnect) {
    return std::make_unique<platform::EbpfFlowSource>(platform::EbpfFlowOptions{.udp_at_connect = true});
  }
  return std::make_unique<platform::PollingFlowSource>(std::chrono::seconds(30));
}

Fd UdpSocket(const NetNamespace& in, const std::string& address, uint16_t port) {
  const InNetNamespace inside(in);
  const SocketAddress at = MakeSocketAddress(address, port);
  Fd fd(socket(at.Family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{5, 0};
  setsockopt(fd.Get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (!fd.Valid() || bind(fd.Get(), at.Get(), at.size) != 0) throw std::runtime_error("cannot bind");
  return fd;
}

void SendTo(const Fd& from, const std::string& address, uint16_t port) {
  const SocketAddress to = MakeSocketAddress(address, port);
  ASSERT_EQ(sendto(from.Get(), "ask", 3, 0, to.Get(), to.size), 3);
}

// Reads a datagram and answers whoever sent it.
void Answer(const Fd& fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  std::array<char, 16> bytes{};
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  ASSERT_GT(recvfrom(fd.Get(), bytes.data(), bytes.size(), 0, address, &size), 0);
  ASSERT_GT(sendto(fd.Get(), "answer", 6, 0, address, size), 0);
}

void Receive(const Fd& fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  std::array<char, 16> bytes{};
  ASSERT_GT(recvfrom(fd.Get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size), 0);
}

// A connection that was accepted, with the port still listened on.
class Accepted {
 public:
  Accepted(const NetNamespace& from, const NetNamespace& at, const std::string& address, uint16_t port)
      : listener_(Listen(at, address, port)) {
    const InNetNamespace inside(from);
    const SocketAddress to = MakeSocketAddress(address, port);
    client_ = Fd(socket(to.Family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(client_.Get(), to.Get(), to.size) != 0) throw std::runtime_error("cannot connect");
    accepted_ = Fd(accept(listener_.Get(), nullptr, nullptr));
  }

 private:
  static Fd Listen(const NetNamespace& at, const std::string& address, uint16_t port) {
    const InNetNamespace inside(at);
    const SocketAddress local = MakeSocketAddress(address, port);
    Fd fd(socket(local.Family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(fd.Get(), local.Get(), local.size) != 0 || listen(fd.Get(), 4) != 0) {
      throw std::runtime_error("cannot listen");
    }
    return fd;
  }

  Fd listener_;
  Fd client_;
  Fd accepted_;
};

class FlowSourceTest : public ::testing::TestWithParam<const char*> {
 protected:
  FlowSourceTest() {
    ConnectByVeth({host_, "up0", {"10.9.0.1/24", "fd09::1/64"}},
                  {peer_, "eth0", {"10.9.0.2/24", "fd09::2/64"}});
  }
  ~FlowSourceTest() override {
    if (source_) source_->Stop();
  }

  bool Polls() const { return std::string_view(GetParam()) == kPolling; }

  void Start() {
    const InNetNamespace inside(host_);
    source_ = Make(GetParam());
    const absl::Status started = source_->Start([this](std::span<RawFlow> flows) {
      const std::lock_guard lock(mutex_);
      seen_.insert(seen_.end(), flows.begin(), flows.end());
    });
    ASSERT_TRUE(started.ok()) << started;
  }

  std::vector<RawFlow> Seen() {
    source_->Flush();
    const std::lock_guard lock(mutex_);
    return seen_;
  }

  std::vector<RawFlow> Seen(FlowDirection direction, FlowProtocol protocol, const std::string& remote,
                            uint16_t port) {
    std::vector<RawFlow> found = Seen();
    std::erase_if(found, [&](const RawFlow& raw) {
      const uint16_t accepting = direction == FlowDirection::kIn ? raw.flow.local.port : raw.flow.remote.port;
      return raw.flow.direction != direction || raw.flow.protocol != protocol || accepting != port ||
             raw.flow.remote.address != boost::asio::ip::make_address(remote);
    });
    return found;
  }

  NetNamespace host_{"host"};
  NetNamespace peer_{"peer"};
  std::unique_ptr<platform::FlowSource> source_;
  std::mutex mutex_;
  std::vector<RawFlow> seen_;
};

TEST_P(FlowSourceTest, TellsTcpBothWaysWithItsProgram) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const Established out4(host_, {peer_, "10.9.0.2", 445});
  const Established out6(host_, {peer_, "fd09::2", 8443});
  const Accepted in4(peer_, host_, "10.9.0.1", 3389);
  const Accepted in6(peer_, host_, "fd09::1", 22);
  struct Expected {
    FlowDirection direction;
    const char* remote;
    uint16_t port;
  };
  for (const Expected& expected : {Expected{FlowDirection::kOut, "10.9.0.2", 445},
                                   {FlowDirection::kOut, "fd09::2", 8443},
                                   {FlowDirection::kIn, "10.9.0.2", 3389},
                                   {FlowDirection::kIn, "fd09::2", 22}}) {
    const auto found = Seen(expected.direction, FlowProtocol::kTcp, expected.remote, expected.port);
    ASSERT_FALSE(found.empty()) << expected.remote << " " << expected.port;
    EXPECT_EQ(found[0].pid, static_cast<uint32_t>(getpid())) << expected.port;
    EXPECT_FALSE(found[0].flow.agent_owned);
    EXPECT_GT(found[0].boottime_nanos, 0);
  }
  EXPECT_EQ(source_->Lost(), 0U);
}

TEST_P(FlowSourceTest, TellsWhatWasOpenBeforeAndWhoListened) {
  const Established before(host_, {peer_, "10.9.0.2", 5432});
  const Fd listener = [&] {
    const InNetNamespace inside(host_);
    Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress at = MakeSocketAddress("10.9.0.1", 8080);
    EXPECT_EQ(bind(fd.Get(), at.Get(), at.size), 0);
    EXPECT_EQ(listen(fd.Get(), 4), 0);
    return fd;
  }();
  ASSERT_NO_FATAL_FAILURE(Start());
  const Fd client = [&] {
    const InNetNamespace inside(peer_);
    Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress to = MakeSocketAddress("10.9.0.1", 8080);
    EXPECT_EQ(connect(fd.Get(), to.Get(), to.size), 0);
    return fd;
  }();
  const Fd accepted(accept(listener.Get(), nullptr, nullptr));
  const auto open = Seen(FlowDirection::kOut, FlowProtocol::kTcp, "10.9.0.2", 5432);
  ASSERT_FALSE(open.empty());
  EXPECT_FALSE(open[0].executable.empty());
  const auto in = Seen(FlowDirection::kIn, FlowProtocol::kTcp, "10.9.0.2", 8080);
  ASSERT_FALSE(in.empty());
  EXPECT_EQ(in[0].pid, static_cast<uint32_t>(getpid()));
}

TEST_P(FlowSourceTest, MarksTheAgentsOwn) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const Established own(host_, {peer_, "10.9.0.2", 7443}, platform::kAgentSocketMark);
  const auto found = Seen(FlowDirection::kOut, FlowProtocol::kTcp, "10.9.0.2", 7443);
  ASSERT_FALSE(found.empty());
  EXPECT_TRUE(found[0].flow.agent_owned);
}

TEST_P(FlowSourceTest, TellsNothingOfOtherNamespacesNorOfAttempts) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const Accepted in(peer_, host_, "10.9.0.1", 3389);  // its other end is a flow of the other namespace
  {
    const InNetNamespace inside(host_);
    const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress to = MakeSocketAddress("10.9.0.2", 9);
    EXPECT_NE(connect(fd.Get(), to.Get(), to.size), 0) << "refused";
  }
  EXPECT_FALSE(Seen(FlowDirection::kIn, FlowProtocol::kTcp, "10.9.0.2", 3389).empty())
      << "the positive control";
  EXPECT_TRUE(Seen(FlowDirection::kOut, FlowProtocol::kTcp, "10.9.0.1", 3389).empty());
  EXPECT_TRUE(Seen(FlowDirection::kOut, FlowProtocol::kTcp, "10.9.0.2", 9).empty());
}

TEST_P(FlowSourceTest, UdpBelongsToWhoSpokeFirst) {
  if (Polls()) GTEST_SKIP() << "polling sees connected UDP sockets only";
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const bool v6 : {false, true}) {
    const std::string here = v6 ? "fd09::1" : "10.9.0.1";
    const std::string there = v6 ? "fd09::2" : "10.9.0.2";
    const Fd host_server = UdpSocket(host_, here, 5060);
    const Fd peer_server = UdpSocket(peer_, there, 123);
    const Fd host_client = UdpSocket(host_, here, 0);
    const Fd peer_client = UdpSocket(peer_, there, 0);
    SendTo(host_client, there, 123);
    Answer(peer_server);
    Receive(host_client);
    SendTo(peer_client, here, 5060);
    Answer(host_server);
    Receive(peer_client);
    const auto out = Seen(FlowDirection::kOut, FlowProtocol::kUdp, there, 123);
    const auto in = Seen(FlowDirection::kIn, FlowProtocol::kUdp, there, 5060);
    ASSERT_EQ(out.size(), 1U) << there;
    ASSERT_EQ(in.size(), 1U) << there;
    EXPECT_EQ(out[0].pid, static_cast<uint32_t>(getpid()));
    EXPECT_EQ(in[0].pid, static_cast<uint32_t>(getpid()));
  }
  size_t datagrams = 0;
  for (const RawFlow& raw : Seen()) datagrams += raw.flow.protocol == FlowProtocol::kUdp ? 1 : 0;
  EXPECT_EQ(datagrams, 4U) << "answers are no flows";
}

TEST_P(FlowSourceTest, TellsUdpSocketsThatAreConnected) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const Fd client = UdpSocket(host_, "10.9.0.1", 0);
  const SocketAddress to = MakeSocketAddress("10.9.0.2", 53);
  ASSERT_EQ(connect(client.Get(), to.Get(), to.size), 0);
  const Fd server = UdpSocket(peer_, "10.9.0.2", 53);
  ASSERT_EQ(send(client.Get(), "ask", 3, 0), 3);
  Answer(server);
  Receive(client);  // and asks who sent it
  EXPECT_FALSE(Seen(FlowDirection::kOut, FlowProtocol::kUdp, "10.9.0.2", 53).empty());
  for (const RawFlow& raw : Seen()) {
    EXPECT_FALSE(raw.flow.protocol == FlowProtocol::kUdp && raw.flow.direction == FlowDirection::kIn)
        << "an answer is no flow";
  }
}

TEST_P(FlowSourceTest, TellsAKindOnceAMinuteAndCountsTheRest) {
  if (Polls()) GTEST_SKIP() << "polling looks at what is open";
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_TRUE(Seen().empty());  // what is open at the start has been looked at
  for (int at = 0; at < 50; ++at) {
    ASSERT_TRUE(TcpArrives(host_, {peer_, "10.9.0.2", 445}, kExpectArrival)) << at;
  }
  EXPECT_EQ(Seen(FlowDirection::kOut, FlowProtocol::kTcp, "10.9.0.2", 445).size(), 1U);
  EXPECT_EQ(source_->Lost(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Native, FlowSourceTest, ::testing::Values(kEbpf, kEbpfAtConnect, kPolling),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(FlowSource, IsMadeByName) {
  EXPECT_NE(platform::MakeFlowSource("ebpf"), nullptr);
  EXPECT_EQ(platform::MakeFlowSource("polling")->Info().name, "polling");
  EXPECT_TRUE(platform::MakeFlowSource("polling")->Info().fallback);
  EXPECT_EQ(platform::MakeFlowSource("other"), nullptr);
}

}  // namespace
}  // namespace cordon::testing
