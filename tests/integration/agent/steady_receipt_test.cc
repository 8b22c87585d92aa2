// ISO-7: a receipt comes from time to time, also when nothing changes. The agent runs in this process, at
// another pace than an hour; controller and cordonctl are the real programs.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "tests/integration/agent/agent_in_process.h"

namespace cordon::testing {
namespace {

using std::chrono_literals::operator""s;

class SteadyReceipt : public WithAgentInProcess {
 protected:
  boost::json::object Receipt() {
    const boost::json::object host = fleet_->CtlJson({"hosts"}).at(0);
    const boost::json::value* const receipt = host.if_contains("receipt");
    return receipt == nullptr ? boost::json::object() : receipt->as_object();
  }
  int64_t TimeOf(const boost::json::object& receipt) const {
    return receipt.at("read_back_time_unix_nanos").to_number<int64_t>();
  }
  // Until the receipts that a change brings have come: the last is that of the inbound packets.
  bool Settles() {
    return Eventually(
        [&] {
          const boost::json::object receipt = Receipt();
          if (receipt.empty()) return false;
          const boost::json::array& probes = receipt.at("probes").as_array();
          return std::ranges::any_of(probes, [](const boost::json::value& probe) {
            return std::string_view(probe.as_object().at("name").as_string()) == "udp4 in";
          });
        },
        60s);
  }
  // As the events of the host tell them.
  size_t Changes() {
    const std::string told = fleet_->Ctl({"events", "--class", "control", "--since", "10m"});
    size_t count = 0;
    for (size_t at = told.find("isolation:"); at != std::string::npos; at = told.find("isolation:", at + 1))
      ++count;
    return count;
  }
};

TEST_F(SteadyReceipt, ISO7_ComesSignedWithoutAChange) {
  const AgentInProcess agent(*fleet_, {.receipt = 1s});
  ASSERT_TRUE(agent.IsMade());
  ASSERT_TRUE(Settles());
  const size_t changes = Changes();
  int64_t last = TimeOf(Receipt());
  for (int receipt = 0; receipt < 3; ++receipt) {
    EXPECT_TRUE(Eventually([&] { return TimeOf(Receipt()) > last; }, 20s)) << receipt;
    const boost::json::object newest = Receipt();
    EXPECT_EQ(newest.at("verified"), true);
    EXPECT_EQ(newest.at("containment"), "open");
    last = TimeOf(newest);
  }
  EXPECT_EQ(Changes(), changes) << "nothing has happened";
}

// The control: at the usual pace nothing else brings one within these seconds.
TEST_F(SteadyReceipt, DoesNotComeByAnythingElse) {
  const AgentInProcess agent(*fleet_);
  ASSERT_TRUE(agent.IsMade());
  ASSERT_TRUE(Settles());
  const int64_t last = TimeOf(Receipt());
  std::this_thread::sleep_for(5s);
  EXPECT_EQ(TimeOf(Receipt()), last);
}

}  // namespace
}  // namespace cordon::testing
