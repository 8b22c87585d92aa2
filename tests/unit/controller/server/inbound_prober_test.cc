#include "controller/server/inbound_prober.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <chrono>

namespace cordon::controller {
namespace {

namespace ip = boost::asio::ip;

v1::InboundProbeRequest Request(v1::TransportProtocol protocol, uint16_t port) {
  v1::InboundProbeRequest request;
  request.set_probe_id(1);
  request.set_protocol(protocol);
  request.set_port(port);
  request.set_nonce(std::string(16, 'n'));
  return request;
}

TEST(PeerAddress, IsReadFromGrpcsNames) {
  EXPECT_EQ(PeerAddress("ipv4:10.0.0.7:4711").value().to_string(), "10.0.0.7");
  EXPECT_EQ(PeerAddress("ipv6:%5Bfd00::7%5D:4711").value().to_string(), "fd00::7");
  EXPECT_EQ(PeerAddress("ipv6:[fd00::7]:4711").value().to_string(), "fd00::7");
  for (const char* bad : {"", "unix:/run/x", "ipv4:", "ipv4:host:1", "ipv6:%5Bfd00::7", ":"}) {
    EXPECT_FALSE(PeerAddress(bad).ok()) << bad;
  }
}

TEST(InboundProber, SendsToTheAskersAddress) {
  boost::asio::io_context loop;
  ip::tcp::acceptor acceptor(loop, {ip::make_address("127.0.0.1"), 0});
  ip::udp::socket datagrams(loop, {ip::make_address("127.0.0.1"), 0});
  InboundProber prober;
  ip::tcp::socket accepted(loop);
  std::string said(64, '\0');
  std::string received(64, '\0');
  acceptor.async_accept(accepted, [&](const boost::system::error_code& error) {
    ASSERT_FALSE(error);
    boost::asio::async_read(accepted, boost::asio::buffer(said),
                            [&](const boost::system::error_code&, size_t size) { said.resize(size); });
  });
  datagrams.async_receive(boost::asio::buffer(received),
                          [&](const boost::system::error_code&, size_t size) { received.resize(size); });
  EXPECT_TRUE(prober
                  .Send("host-1", "ipv4:127.0.0.1:9",
                        Request(v1::TRANSPORT_PROTOCOL_TCP, acceptor.local_endpoint().port()), 0)
                  .ok());
  EXPECT_TRUE(prober
                  .Send("host-2", "ipv4:127.0.0.1:9",
                        Request(v1::TRANSPORT_PROTOCOL_UDP, datagrams.local_endpoint().port()), 0)
                  .ok());
  loop.run_for(std::chrono::seconds(10));
  EXPECT_EQ(said, std::string(16, 'n')) << "and nothing more";
  EXPECT_EQ(received, std::string(16, 'n'));
}

TEST(InboundProber, AUT6_IsNoReflector) {
  InboundProber prober;
  const auto udp = Request(v1::TRANSPORT_PROTOCOL_UDP, 9);
  const auto send = [&](const v1::InboundProbeRequest& request, int64_t now) {
    return prober.Send("host", "ipv4:127.0.0.1:9", request, now).code();
  };
  EXPECT_EQ(send(udp, 0), absl::StatusCode::kOk);
  EXPECT_EQ(send(udp, InboundProber::kIntervalNanos - 1), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(send(udp, InboundProber::kIntervalNanos), absl::StatusCode::kOk);
  EXPECT_EQ(send(Request(v1::TRANSPORT_PROTOCOL_ICMP, 9), 9e9), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(send(Request(v1::TRANSPORT_PROTOCOL_TCP, 0), 9e9), absl::StatusCode::kInvalidArgument);
  v1::InboundProbeRequest big = udp;
  big.set_nonce(std::string(1'000, 'x'));
  EXPECT_EQ(send(big, 9e9), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cordon::controller
