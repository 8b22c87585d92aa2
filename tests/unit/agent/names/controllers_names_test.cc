// Whom the agent asks for the controllers' names where no guard answers, and what of it stays while no agent
// runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <fstream>

#include "agent/names/kept_names.h"
#include "agent/names/name_service.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::boost::asio::ip::make_address;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Endpoint kResolver = {make_address("192.0.2.53"), 53};  // NOLINT(cert-err58-cpp)

class ControllersNames : public ::testing::Test {
 protected:
  std::unique_ptr<Names> Service(std::vector<std::string> controllers) {
    return MakeNameService({.loop = loop_,
                            .clock = clock_,
                            .connections = connections_,
                            .resolvers = [] { return std::vector<Endpoint>{kResolver}; },
                            .own_addresses = [] { return std::set<boost::asio::ip::address>(); },
                            .port_file = folder_ / "dns-guard.port",
                            .other_names = std::move(controllers),
                            .client = nullptr});
  }
  static v1::IsolationState At(v1::Level level) {
    v1::IsolationState state;
    state.set_level(level);
    return state;
  }

  boost::asio::io_context loop_;
  testing::FakeClock clock_;
  testing::FakeConnections connections_;
  testing::TempFolder folder_;
};

TEST_F(ControllersNames, ISO4_AreAskedWhereTheLevelShutsPort53AndKeepsTheirWay) {
  const auto named = Service({"Ctl.example"});
  const auto numbered = Service({});
  for (const v1::Level level : {v1::LEVEL_ESSENTIAL, v1::LEVEL_CONTROLLER_ONLY}) {
    named->Begin(At(level));
    EXPECT_THAT(named->OwnResolvers(), ElementsAre(kResolver));
    numbered->Begin(At(level));
    EXPECT_THAT(numbered->OwnResolvers(), IsEmpty()) << "no name, no permit";
  }
  for (const v1::Level level : {v1::LEVEL_OBSERVE, v1::LEVEL_NO_LATERAL, v1::LEVEL_DARK}) {
    named->Begin(At(level));
    EXPECT_THAT(named->OwnResolvers(), IsEmpty()) << level;
  }
}

TEST_F(ControllersNames, ISO5_TheResolversStayOpenWhileNoAgentRuns) {
  v1::IsolationState state = At(v1::LEVEL_CONTROLLER_ONLY);
  const auto named = Service({"ctl.example"});
  named->Begin(state);
  named->Record(&state);
  ASSERT_THAT(state.resolvers(), ElementsAre("192.0.2.53"));
  const auto kept = MakeKeptNames(folder_ / "dns-guard.port");
  kept->Begin(state);
  EXPECT_EQ(kept->OwnResolvers(), named->OwnResolvers()) << "the agent's rules, to the byte";
  named->Begin(At(v1::LEVEL_DARK));
  named->Record(&state);
  EXPECT_THAT(state.resolvers(), IsEmpty()) << "and not beyond the level";
}

TEST_F(ControllersNames, TheGuardsRedirectHasThemWhereThereIsOne) {
  v1::IsolationState state = At(v1::LEVEL_ESSENTIAL);
  state.mutable_action()->mutable_profile()->add_allow()->add_names("pms.example.vet");
  state.add_resolvers("192.0.2.53");
  std::ofstream(folder_ / "dns-guard.port") << "1011\n";
  const auto kept = MakeKeptNames(folder_ / "dns-guard.port");
  kept->Begin(state);
  ASSERT_TRUE(kept->Redirect().has_value());
  EXPECT_THAT(kept->Redirect()->resolvers, ElementsAre(kResolver));
  EXPECT_THAT(kept->OwnResolvers(), IsEmpty());
}

}  // namespace
}  // namespace cordon::agent
