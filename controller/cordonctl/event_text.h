#pragma once

// Events in words.

#include <boost/json/object.hpp>
#include <string>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// One line for a person, without time and host: "process started: curl -s http://… (pid 12, by 10, uid 0)".
// Safe to print: everything from outside went through Printable().
std::string DescribeEvent(const v1::Event& event);

// The name of the event's kind: "process_started". Empty for one that this version does not know.
std::string EventKind(const v1::Event& event);

// One object: host_id, host, sequence, time, time_unix_nanos, class, kind, and the event itself under its
// kind.
boost::json::object EventJson(const v1::QueryEventsResponse& event);

}  // namespace cordon::ctl
