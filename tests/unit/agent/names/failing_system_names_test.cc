// What becomes of names when the system fails for a moment: the table of connections, the packet filter.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "agent/names/name_service.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::boost::asio::ip::make_address;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kPmsName = "pms.example.vet";

class NamesOnAFailingSystem : public ::testing::Test {
 protected:
  // At no-lateral, where no guard listens: nothing here needs the loop.
  static v1::IsolationState OpenedBefore(const std::string& address) {
    v1::IsolationState state;
    state.set_level(v1::LEVEL_NO_LATERAL);
    state.mutable_action()->mutable_profile()->add_allow()->add_names(kPmsName);
    state.add_opened()->set_name(kPmsName);
    state.mutable_opened(0)->set_address(address);
    return state;
  }
  std::vector<boost::asio::ip::address> Open() const { return names_->Sets().at(0).addresses; }
  void Pass(int64_t seconds) {
    clock_.Advance(seconds * kNanosPerSecond);
    names_->Tick();
  }

  boost::asio::io_context loop_;
  testing::FakeClock clock_;
  testing::FakeConnections connections_;
  testing::TempFolder folder_;
  std::vector<Endpoint> resolvers_ = {{make_address("192.0.2.53"), 53}};
  const std::unique_ptr<Names> names_ =
      MakeNameService({.loop = loop_,
                       .clock = clock_,
                       .connections = connections_,
                       .resolvers = [this] { return resolvers_; },
                       .own_addresses = [] { return std::set<boost::asio::ip::address>(); },
                       .port_file = folder_ / "dns-guard.port",
                       .other_names = {},
                       .client = nullptr});
};

TEST_F(NamesOnAFailingSystem, AnAddressStaysOpenWhileItIsNotKnownWhoUsesIt) {
  names_->Begin(OpenedBefore("198.51.100.7"));
  connections_.FailList(absl::UnavailableError("the kernel is busy"));
  Pass(200);  // it has lapsed
  EXPECT_THAT(Open(), ElementsAre(make_address("198.51.100.7")));
  connections_.FailList(absl::OkStatus());
  platform::Connection flow;
  flow.remote = {make_address("198.51.100.7"), 443};
  connections_.Open(flow);
  Pass(1);
  EXPECT_THAT(Open(), ElementsAre(make_address("198.51.100.7"))) << "a flow lives";
  ASSERT_TRUE(connections_.Reset(connections_.StillOpen().front()).ok());
  Pass(121);
  EXPECT_THAT(Open(), IsEmpty()) << "the positive control";
}

TEST_F(NamesOnAFailingSystem, AnAddressDoesNotStayOpenForGoodBecauseNobodyCanTell) {
  names_->Begin(OpenedBefore("198.51.100.7"));
  connections_.FailList(absl::UnavailableError("the kernel does not answer"));
  Pass(200);
  Pass(299);
  EXPECT_THAT(Open(), ElementsAre(make_address("198.51.100.7")));
  Pass(1);
  EXPECT_THAT(Open(), IsEmpty());
}

// Else the agent asks servers that the rules do not let it reach, until the next order.
TEST_F(NamesOnAFailingSystem, OtherResolversThatTheKernelDidNotTakeAreTriedAgain) {
  std::vector<Names::Change> told;
  absl::Status kernel = absl::UnavailableError("the packet filter is busy");
  names_->OnChange([&](Names::Change change) {
    told.push_back(change);
    return kernel;
  });
  names_->Begin(OpenedBefore("198.51.100.7"));
  resolvers_ = {{make_address("192.0.2.54"), 53}};
  Pass(10);
  EXPECT_THAT(told, Each(Names::Change::kResolvers));
  told.clear();
  kernel = absl::OkStatus();
  Pass(1);
  EXPECT_THAT(told, ElementsAre(Names::Change::kResolvers));
  told.clear();
  Pass(1);
  EXPECT_THAT(told, IsEmpty()) << "once";
}

}  // namespace
}  // namespace cordon::agent
