// The contracts of platform/api/connections.h and socket_owners.h on the native implementation: connections
// of this process with itself over loopback.

#include "platform/api/connections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <filesystem>
#include <optional>

#include "platform/api/process_source.h"
#include "platform/api/socket_owners.h"
#include "tests/support/native.h"

namespace cordon::platform {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;

constexpr const char* kNoOwnersUnderWine = "GetExtendedTcpTable names the owner of few sockets";

// Both ends of a connection. Not connected where the host has no such address.
class Pair {
 public:
  explicit Pair(const boost::asio::ip::address& address) {
    boost::system::error_code error;
    acceptor_.open(address.is_v6() ? tcp::v6() : tcp::v4(), error);
    if (!error) acceptor_.bind({address, 0}, error);
    if (error) return;
    acceptor_.listen();
    client_.connect(acceptor_.local_endpoint());
    acceptor_.accept(server_);
    connected_ = true;
  }
  bool Connected() const { return connected_; }
  uint16_t Port() const { return acceptor_.local_endpoint().port(); }
  tcp::socket& Client() { return client_; }
  tcp::socket& Server() { return server_; }

 private:
  boost::asio::io_context context_;
  tcp::acceptor acceptor_{context_};
  tcp::socket client_{context_};
  tcp::socket server_{context_};
  bool connected_ = false;
};

class Connections : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!pair_.Connected()) GTEST_SKIP() << "this host has no address " << GetParam();
  }
  std::vector<Connection> List() {
    const auto connections = table_->List();
    EXPECT_TRUE(connections.ok()) << connections.status();
    return connections.value_or(std::vector<Connection>());
  }
  // The end that connected.
  std::optional<Connection> Out() {
    for (Connection& each : List())
      if (each.protocol == FlowProtocol::kTcp && each.remote.port == pair_.Port()) return each;
    return std::nullopt;
  }
  std::optional<Connection> In() {
    for (Connection& each : List())
      if (each.protocol == FlowProtocol::kTcp && each.local.port == pair_.Port()) return each;
    return std::nullopt;
  }

  Pair pair_{boost::asio::ip::make_address(GetParam())};
  std::unique_ptr<ConnectionTable> table_ = MakeConnectionTable();
};

INSTANTIATE_TEST_SUITE_P(Loopback, Connections, ::testing::Values("127.0.0.1", "::1"),
                         [](const auto& one) { return one.index == 0 ? "V4" : "V6"; });

TEST_P(Connections, BothEndsAreListedWithTheirDirections) {
  const auto out = Out();
  const auto in = In();
  ASSERT_TRUE(out.has_value());
  ASSERT_TRUE(in.has_value());
  EXPECT_EQ(out->direction, FlowDirection::kOut);
  EXPECT_EQ(in->direction, FlowDirection::kIn);
  EXPECT_EQ(out->local, in->remote);
  EXPECT_EQ(out->remote, in->local);
  EXPECT_EQ(out->local.address, boost::asio::ip::make_address(GetParam()));
}

TEST_P(Connections, OneThatIsClosedIsListedNoMore) {
  ASSERT_TRUE(Out().has_value());
  for (tcp::socket* each : {&pair_.Client(), &pair_.Server()}) {
    each->set_option(boost::asio::socket_base::linger(true, 0));
    each->close();
  }
  EXPECT_FALSE(Out().has_value());
  EXPECT_FALSE(In().has_value());
}

TEST_P(Connections, ISO2_OneThatIsResetIsAnErrorForItsProgramAndGoneForTheTable) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("ending sockets of others needs it");
  CORDON_SKIP_UNDER_WINE("SetTcpEntry answers 0 and the connection lives on");
  if (std::string_view(GetParam()) == "::1") {
    CORDON_SKIP_ON_WINDOWS("SetTcpEntry ends TCP over IPv4 alone");
  }
  const auto out = Out();
  ASSERT_TRUE(out.has_value());
  const absl::Status reset = table_->Reset(*out);
  ASSERT_TRUE(reset.ok()) << reset;
  boost::system::error_code error;
  char byte = 0;
  boost::asio::read(pair_.Client(), boost::asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error);
  EXPECT_TRUE(absl::IsNotFound(table_->Reset(*out))) << table_->Reset(*out);
  EXPECT_FALSE(Out().has_value());
}

TEST_P(Connections, TheirOwnersAreFound) {
  CORDON_SKIP_UNDER_WINE(kNoOwnersUnderWine);
  const auto out = Out();
  ASSERT_TRUE(out.has_value());
  ASSERT_NE(out->owner_key, 0U);
  const auto owners = FindSocketOwners({out->owner_key});
  ASSERT_EQ(owners.size(), 1U);
  EXPECT_EQ(owners.at(out->owner_key).pid, OwnPid());
  EXPECT_NE(owners.at(out->owner_key).executable.find("connections_contract_test"), std::string::npos);
}

TEST(ConnectedDatagrams, AreListed) {
  CORDON_SKIP_ON_WINDOWS("GetExtendedUdpTable has no peers");
  boost::asio::io_context context;
  udp::socket server(context, {boost::asio::ip::address_v4::loopback(), 0});
  udp::socket client(context, udp::v4());
  client.connect(server.local_endpoint());
  const auto connections = MakeConnectionTable()->List();
  ASSERT_TRUE(connections.ok()) << connections.status();
  EXPECT_TRUE(std::ranges::any_of(*connections, [&](const Connection& each) {
    return each.protocol == FlowProtocol::kUdp && each.remote.port == server.local_endpoint().port();
  }));
}

TEST(SocketOwners, NobodyOwnsNoSocket) {
  EXPECT_TRUE(FindSocketOwners({}).empty());
  EXPECT_TRUE(FindSocketOwners({0}).empty());
}

TEST(SocketOwners, AnOwnerThatHasEndedIsNone) {
  boost::asio::io_context context;
  tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
  testing::ChildProgram child(testing::Errand(),
                              {"connect", std::to_string(acceptor.local_endpoint().port()), "60000"});
  const tcp::socket accepted = acceptor.accept();
  const auto connections = MakeConnectionTable()->List();
  ASSERT_TRUE(connections.ok()) << connections.status();
  const auto held = std::ranges::find_if(*connections, [&](const Connection& each) {
    return each.remote.port == acceptor.local_endpoint().port();
  });
  ASSERT_NE(held, connections->end());
  CORDON_SKIP_UNDER_WINE(kNoOwnersUnderWine);
  const auto owners = FindSocketOwners({held->owner_key});
  ASSERT_EQ(owners.size(), 1U);
  EXPECT_EQ(owners.begin()->second.pid, child.Pid());
  EXPECT_EQ(std::filesystem::path(owners.begin()->second.executable).filename(),
            testing::Errand().filename());
  child.Kill();
  EXPECT_TRUE(FindSocketOwners({held->owner_key}).empty());
}

}  // namespace
}  // namespace cordon::platform
