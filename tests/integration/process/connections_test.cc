// Connections on the real kernel, from the socket to the event, with the process that opened or accepted
// them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "agent/flows/flow_recorder.h"
#include "agent/process/process_sensor.h"
#include "common/base/address_bytes.h"
#include "platform/api/system.h"
#include "platform/linux/system/fd.h"
#include "tests/fakes/fake_flow_source.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/kernel_hooks.h"
#include "tests/support/net_namespace.h"
#include "tests/support/socket_address.h"
#include "tests/support/subprocess.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::InNetNamespace;
using ::cordon::testing::NetNamespace;
using ::cordon::testing::RecordingSink;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// A listening socket of this process; the kernel takes connections by itself.
platform::Fd Listen(const NetNamespace& in, const std::string& address, uint16_t port) {
  const InNetNamespace inside(in);
  const testing::SocketAddress at = testing::MakeSocketAddress(address, port);
  platform::Fd fd(socket(at.Family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(fd.Get(), at.Get(), at.size) != 0 || listen(fd.Get(), 8) != 0) {
    throw std::runtime_error("cannot listen");
  }
  return fd;
}

class ConnectionsOnTheKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for eBPF";
    testing::ConnectByVeth({host_, "up0", {"10.9.0.1/24"}}, {peer_, "eth0", {"10.9.0.2/24"}});
    ASSERT_TRUE(processes_.Start().ok());
    const InNetNamespace inside(host_);
    ASSERT_TRUE(flows_.Start().ok());
  }
  void TearDown() override {
    flows_.Stop();
    processes_.Stop();
  }

  // The first connection of that direction and port, once it was told.
  v1::Connection Told(v1::Connection::Direction direction, uint32_t port) {
    v1::Connection found;
    EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
      if (!event.has_connection() || event.connection().direction() != direction ||
          event.connection().port() != port)
        return false;
      found = event.connection();
      return true;
    }));
    return found;
  }

  NetNamespace host_{"host"};
  NetNamespace peer_{"peer"};
  RecordingSink sink_;
  const std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  const std::unique_ptr<platform::ProcessSource> process_source_ = platform::MakeProcessSource("ebpf");
  ProcessSensor processes_{*process_source_, sink_, *clock_, "host", "boot"};
  const std::unique_ptr<platform::FlowSource> flow_source_ = platform::MakeFlowSource("ebpf");
  testing::FakeDnsObserver dns_;
  FlowRecorder flows_{
      {.source = *flow_source_, .processes = processes_, .clock = *clock_, .dns = dns_, .events = &sink_},
      absl::UnavailableError("not kept in this test")};
};

TEST_F(ConnectionsOnTheKernel, AnOutboundOneNamesTheProcessThatOpenedIt) {
  const platform::Fd server = Listen(peer_, "10.9.0.2", 8443);
  host_.Run({"/bin/bash", "-c", "exec 3<>/dev/tcp/10.9.0.2/8443"});
  const v1::Connection told = Told(v1::Connection::DIRECTION_OUT, 8443);
  EXPECT_EQ(told.protocol(), 6);
  EXPECT_EQ(told.remote_address(), AddressBytes(boost::asio::ip::make_address("10.9.0.2")));
  EXPECT_THAT(told.executable(), EndsWith("/bash"));
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    return event.process_started().process_guid() == told.process_guid();
  })) << "the process was told as well";
}

TEST_F(ConnectionsOnTheKernel, AnInboundOneNamesTheProcessThatListens) {
  const platform::Fd server = Listen(host_, "10.9.0.1", 8444);
  peer_.Run({"/bin/bash", "-c", "exec 3<>/dev/tcp/10.9.0.1/8444"});
  const v1::Connection told = Told(v1::Connection::DIRECTION_IN, 8444);
  EXPECT_EQ(told.remote_address(), AddressBytes(boost::asio::ip::make_address("10.9.0.2")));
  EXPECT_EQ(told.pid(), static_cast<uint32_t>(getpid()));
  EXPECT_FALSE(told.process_guid().empty());
}

TEST_F(ConnectionsOnTheKernel, AUdpExchangeIsTold) {
  host_.Run({"/bin/bash", "-c", "echo hello > /dev/udp/10.9.0.2/8445"});
  EXPECT_EQ(Told(v1::Connection::DIRECTION_OUT, 8445).protocol(), 17U);
}

TEST_F(ConnectionsOnTheKernel, ManyOfTheSameProcessAreToldOnce) {
  const platform::Fd server = Listen(peer_, "10.9.0.2", 8446);
  host_.Run({"/bin/bash", "-c", "for i in 1 2 3 4 5; do exec 3<>/dev/tcp/10.9.0.2/8446; exec 3>&-; done"});
  static_cast<void>(Told(v1::Connection::DIRECTION_OUT, 8446));
  static_cast<void>(flows_.Past());  // all has been read
  int told = 0;
  for (const auto& recorded : sink_.Events()) told += recorded.event.connection().port() == 8446 ? 1 : 0;
  EXPECT_EQ(told, 1);
}

// Every way in which the source can go blind is noticed by the next proof, and named.
TEST_F(ConnectionsOnTheKernel, TheCanaryNamesTheProgramThatWasDetached) {
  const InNetNamespace inside(host_);
  flows_.Prove();
  ASSERT_TRUE(flows_.State().serving) << flows_.State().detail;  // the positive control
  EXPECT_GT(flows_.State().last_proof_unix_nanos, 0);

  ASSERT_EQ(testing::DetachFrom("inet_sock_set_state"), 1);
  flows_.Prove();
  EXPECT_FALSE(flows_.State().serving);
  EXPECT_THAT(flows_.State().detail, AllOf(HasSubstr("TCP"), Not(HasSubstr("datagram"))));

  ASSERT_GT(testing::DetachFrom("cgroup_id"), 0);
  flows_.Prove();
  EXPECT_THAT(flows_.State().detail, AllOf(HasSubstr("TCP"), HasSubstr("datagram")));
}

TEST_F(ConnectionsOnTheKernel, TheCanaryIsNotTold) {
  {
    const InNetNamespace inside(host_);
    flows_.Prove();
  }
  static_cast<void>(flows_.Past());
  for (const auto& recorded : sink_.Events()) EXPECT_FALSE(recorded.event.has_connection());
}

}  // namespace
}  // namespace cordon::agent
