#include "platform/api/connections.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "platform/linux/system/agent_mark.h"
#include "tests/integration/isolation/lab.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using platform::Connection;
using platform::FlowDirection;

class ConnectionTableTest : public ::testing::Test {
 protected:
  ConnectionTableTest() {
    const InNetNamespace inside(lab_.host);
    table_ = platform::MakeConnectionTable();
  }

  std::optional<Connection> WithRemote(const std::string& address) {
    const auto all = table_->List();
    EXPECT_TRUE(all.ok()) << all.status();
    for (const Connection& connection : all.value_or(std::vector<Connection>{})) {
      if (connection.remote.address == boost::asio::ip::make_address(address)) return connection;
    }
    return std::nullopt;
  }

  Lab lab_;
  std::unique_ptr<platform::ConnectionTable> table_;
};

TEST_F(ConnectionTableTest, ISO2_EndsAConnectionSoThatItsProgramNotices) {
  for (const char* address : {"10.9.0.2", "fd09::2"}) {
    Established flow(lab_.host, {lab_.peer, address, 445});
    ASSERT_TRUE(flow.Reaches(true, kExpectArrival)) << "the positive control";
    const auto found = WithRemote(address);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->direction, FlowDirection::kOut);
    EXPECT_EQ(found->remote.port, 445);
    EXPECT_FALSE(found->agent_owned);
    EXPECT_FALSE(flow.EndIsDead(false));
    const absl::Status reset = table_->Reset(*found);
    EXPECT_TRUE(reset.ok()) << reset;
    EXPECT_TRUE(flow.EndIsDead(false));
    EXPECT_TRUE(absl::IsNotFound(table_->Reset(*found))) << table_->Reset(*found);
  }
}

TEST_F(ConnectionTableTest, TellsTheAgentsSocketsFromOthers) {
  const Established own(lab_.host, {lab_.peer, "10.9.0.2", 7443}, platform::kAgentSocketMark);
  const auto found = WithRemote("10.9.0.2");
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->agent_owned);
}

TEST_F(ConnectionTableTest, ForgetsTrackedFlows) {
  const absl::Status forgotten = table_->ForgetTrackedFlows();
  EXPECT_TRUE(forgotten.ok()) << forgotten;
}

}  // namespace
}  // namespace cordon::testing
