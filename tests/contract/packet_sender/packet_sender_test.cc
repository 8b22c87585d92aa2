// The contract of platform/api/packet_sender.h on the native implementation, without rules: what rules do to
// it is seen in tests/integration/isolation.

#include "platform/api/packet_sender.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "tests/support/native.h"

namespace cordon::platform {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;

const boost::asio::ip::address kLoopback = boost::asio::ip::address_v4::loopback();

class PacketSenderTest : public ::testing::Test {
 protected:
  boost::asio::io_context network_;
  std::unique_ptr<PacketSender> sender_ = MakePacketSender();
};

TEST_F(PacketSenderTest, ADatagramArrives) {
  udp::socket receiver(network_, {kLoopback, 0});
  ASSERT_EQ(sender_->Udp({kLoopback, receiver.local_endpoint().port()}), SendOutcome::kSent);
  char bytes[100];
  udp::endpoint from;
  receiver.receive_from(boost::asio::buffer(bytes), from);  // it is there: loopback does not wait
  EXPECT_EQ(from.address(), kLoopback);
}

TEST_F(PacketSenderTest, ASynIsSentWhetherItIsAnsweredOrRefused) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("a SYN of one's own needs a raw socket");
  tcp::acceptor acceptor(network_, {kLoopback, 0});
  const Endpoint to{kLoopback, acceptor.local_endpoint().port()};
  EXPECT_EQ(sender_->TcpSyn(to), SendOutcome::kSent);
  acceptor.close();
  EXPECT_EQ(sender_->TcpSyn(to), SendOutcome::kSent) << "refused, which is an answer";
}

TEST_F(PacketSenderTest, WhatHasNoWayOutIsNotTakenForBlocked) {
  const Endpoint nowhere{boost::asio::ip::make_address("240.0.0.1"), 9};
  EXPECT_NE(sender_->TcpSyn(nowhere), SendOutcome::kBlocked);
  EXPECT_NE(sender_->Udp(nowhere), SendOutcome::kBlocked);
  EXPECT_EQ(sender_->Frame("cordon-none", {kLoopback, 9}), SendOutcome::kNotPossible);
}

}  // namespace
}  // namespace cordon::platform
