// Connections, links, resolvers and probes on Windows.

#include <gtest/gtest.h>

#include <algorithm>

#include "platform/api/connections.h"
#include "platform/api/link_watcher.h"
#include "platform/api/packet_sender.h"
#include "platform/api/resolvers.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

class Winsock {
 public:
  Winsock() { WSAStartup(MAKEWORD(2, 2), &data_); }
  ~Winsock() { WSACleanup(); }
  Winsock(const Winsock&) = delete;
  Winsock& operator=(const Winsock&) = delete;

 private:
  WSADATA data_{};
};

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

TEST(WindowsConnections, ListsBothEndsWithTheirDirections) {
  const Winsock winsock;
  const SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = Loopback(0);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  int size = sizeof(address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const uint16_t port = ntohs(address.sin_port);
  const SOCKET client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const SOCKET server = accept(listener, nullptr, nullptr);
  const auto table = MakeConnectionTable();
  const absl::StatusOr<std::vector<Connection>> connections = table->List();
  ASSERT_TRUE(connections.ok()) << connections.status();
  const auto out =
      std::ranges::find_if(*connections, [&](const Connection& each) { return each.remote.port == port; });
  const auto in =
      std::ranges::find_if(*connections, [&](const Connection& each) { return each.local.port == port; });
  ASSERT_NE(out, connections->end());
  ASSERT_NE(in, connections->end());
  EXPECT_EQ(out->direction, FlowDirection::kOut);
  EXPECT_EQ(in->direction, FlowDirection::kIn);
  for (const SOCKET each : {client, server, listener}) closesocket(each);
}

TEST(WindowsConnections, ResetEndsAConnection) {
  CORDON_SKIP_UNDER_WINE("SetTcpEntry: it answers 0 and the connection lives on");
}

TEST(WindowsLinks, WatchingStartsAndStops) {
  const auto watcher = MakeLinkWatcher();
  const absl::Status started = watcher->Start([] {});
  EXPECT_TRUE(started.ok()) << started;
  EXPECT_TRUE(watcher->MovedAway().empty());
  watcher->Stop();
}

TEST(WindowsResolvers, AreOfOthers) {
  const absl::StatusOr<std::vector<Endpoint>> resolvers = ReadResolvers();
  ASSERT_TRUE(resolvers.ok()) << resolvers.status();
  for (const Endpoint& resolver : *resolvers) {
    EXPECT_EQ(resolver.port, 53);
    EXPECT_FALSE(resolver.address.is_loopback());
  }
}

TEST(WindowsPacketSender, SendsToThisHostAndSaysWhatItCannot) {
  const Winsock winsock;
  const auto sender = MakePacketSender();
  const Endpoint self{boost::asio::ip::address_v4::loopback(), 9};
  EXPECT_EQ(sender->Udp(self), SendOutcome::kSent);
  EXPECT_EQ(sender->Frame("Ethernet", self), SendOutcome::kNotPossible);
}

// The verdict comes after the connect has returned: an answer, of either kind, means that the SYN has left.
TEST(WindowsPacketSender, ASynThatIsAnsweredHasLeftAndOneWithoutARouteHasNot) {
  const Winsock winsock;
  const auto sender = MakePacketSender();
  const auto loopback = boost::asio::ip::address_v4::loopback();
  SOCKET const listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int size = sizeof(any);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&any), size), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&any), &size), 0);
  const Endpoint to{loopback, ntohs(any.sin_port)};
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_EQ(sender->TcpSyn(to), SendOutcome::kSent);
  closesocket(listener);
  EXPECT_EQ(sender->TcpSyn(to), SendOutcome::kSent) << "refused, which is an answer";
  EXPECT_NE(sender->TcpSyn({boost::asio::ip::make_address("240.0.0.1"), 9}), SendOutcome::kBlocked);
}

}  // namespace
}  // namespace cordon::platform
