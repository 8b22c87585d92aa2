// An agent that the kernel lets watch nothing (no eBPF, no process connector in its network namespace, no
// fanotify) still isolates and reports, and the operator is told what it cannot see.

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <string>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

TEST(Fallback, TEL1_AnAgentThatCannotWatchSaysSoInItsHealthAndInTheStream) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent({"setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin"});
  // The stream: a gap for each class that nobody watches.
  std::map<std::string, std::string> down;
  EXPECT_TRUE(Eventually([&] {
    for (const boost::json::object& event :
         fleet.CtlJson({"events", "--class", "control", "--since", "30m"})) {
      const boost::json::value* const gap = event.if_contains("gap");
      if (gap == nullptr || gap->as_object().at("cause") != "sensor-down") continue;
      down[gap->as_object().at("event_class").as_string().c_str()] =
          gap->as_object().at("detail").as_string();
    }
    return down.contains("process") && down.contains("file");
  }));
  EXPECT_NE(down["process"].find("CAP_BPF"), std::string::npos) << down["process"];
  EXPECT_NE(down["file"].find("Operation not permitted"), std::string::npos) << down["file"];
  // Health.
  std::map<std::string, bool> serving;
  for (const boost::json::object& host : fleet.CtlJson({"health", "--all"})) {
    for (const boost::json::value& part : host.at("report").as_object().at("parts").as_array()) {
      const boost::json::object& told = part.as_object();
      serving[told.at("part").as_string().c_str()] = told.contains("serving") && told.at("serving").as_bool();
    }
  }
  ASSERT_TRUE(serving.contains("cordon.process") && serving.contains("cordon.integrity"));
  EXPECT_FALSE(serving["cordon.process"]);
  EXPECT_FALSE(serving["cordon.integrity"]);
  // The order to isolate is obeyed all the same.
  fleet.Ctl({"isolate", "--all", "--level", "controller-only", "--fallback", "hold", "--reason", "test",
             "--yes", "--wait"});
}

}  // namespace
}  // namespace cordon::testing
