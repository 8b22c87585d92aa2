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
const boost::asio::ip::address kLoopback6 = boost::asio::ip::address_v6::loopback();

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

TEST_F(PacketSenderTest, ADudIsSentAndNobodyNoticesIt) {
  CORDON_SKIP_ON_WINDOWS("no program makes packets with a wrong checksum: Dud is never possible");
  CORDON_SKIP_UNLESS_ADMINISTRATOR("a packet of one's own needs a raw socket");
  for (const boost::asio::ip::address& here : {kLoopback, kLoopback6}) {
    udp::socket receiver(network_, {here, 0});
    tcp::acceptor acceptor(network_, {here, 0});
    receiver.non_blocking(true);
    acceptor.non_blocking(true);
    const Endpoint to{here, receiver.local_endpoint().port()};
    ASSERT_EQ(sender_->Udp(to), SendOutcome::kSent);
    EXPECT_GT(receiver.available(), 0U) << "the positive control: loopback does not wait";
    char bytes[100];
    udp::endpoint from;
    receiver.receive_from(boost::asio::buffer(bytes), from);
    for (const uint32_t mark : {0U, 0x0d000001U}) {
      EXPECT_EQ(sender_->Dud(FlowProtocol::kUdp, to, mark), SendOutcome::kSent);
      EXPECT_EQ(sender_->Dud(FlowProtocol::kTcp, {here, acceptor.local_endpoint().port()}, mark),
                SendOutcome::kSent);
      EXPECT_EQ(sender_->Dud(FlowProtocol::kIcmpEcho, {here, 0}, mark), SendOutcome::kSent);
    }
    EXPECT_EQ(receiver.available(), 0U);
    boost::system::error_code none;
    acceptor.accept(none);
    EXPECT_EQ(none, boost::asio::error::would_block);
  }
}

TEST_F(PacketSenderTest, ADudIsForASingleHost) {
  const Endpoint everybody{boost::asio::ip::make_address("255.255.255.255"), 9};
  EXPECT_EQ(sender_->Dud(FlowProtocol::kUdp, everybody, 0), SendOutcome::kNotPossible);
  const Endpoint nowhere{boost::asio::ip::make_address("240.0.0.1"), 9};
  EXPECT_NE(sender_->Dud(FlowProtocol::kTcp, nowhere, 0), SendOutcome::kBlocked);
}

TEST_F(PacketSenderTest, WhatHasNoWayOutIsNotTakenForBlocked) {
  const Endpoint nowhere{boost::asio::ip::make_address("240.0.0.1"), 9};
  EXPECT_NE(sender_->TcpSyn(nowhere), SendOutcome::kBlocked);
  EXPECT_NE(sender_->Udp(nowhere), SendOutcome::kBlocked);
  EXPECT_EQ(sender_->Frame("cordon-none", {kLoopback, 9}), SendOutcome::kNotPossible);
}

}  // namespace
}  // namespace cordon::platform
