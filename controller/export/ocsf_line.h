#pragma once

// What the lines of ocsf.h are put together from.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "cordon/v1/event.pb.h"

namespace cordon::controller::ocsf {

using boost::json::array;
using boost::json::object;

enum class Category : int { kSystem = 1, kFindings = 2, kNetwork = 4, kApplication = 6, kRemediation = 7 };
enum class Class : int {
  kFileActivity = 1001,
  kKernelExtensionActivity = 1002,
  kProcessActivity = 1007,
  kDetectionFinding = 2004,
  kNetworkActivity = 4001,
  kApplicationLifecycle = 6002,
  kScanActivity = 6007,
  kRemediationActivity = 7001,
};
enum class Severity : int { kInformational = 1, kLow = 2, kMedium = 3, kHigh = 4 };

inline constexpr int kOther = 99;
inline constexpr int kSuccess = 1;
inline constexpr int kFailure = 2;

// What the classes have in common, and what goes beside it.
struct Line {
  Class of = Class::kApplicationLifecycle;
  int activity = kOther;
  std::string activity_name;  // required by the schema when `activity` is kOther
  Severity severity = Severity::kInformational;
  int status = 0;  // 0 = left out
  object attributes;
};

// The whole object: `line` with what every class has. `metadata` and `device` hold what the caller knows of
// them.
object WriteLine(Line line, int64_t time_unix_nanos, object metadata, object device, object unmapped,
                 std::string_view product_version);

int64_t Millis(int64_t nanos);
std::string_view BaseName(std::string_view path);
object ProgramFile(const std::string& executable);
object ProcessOf(uint32_t pid, const std::string& guid);
// The schema wants an actor for every system activity, and in it somebody.
object ActorOf(object process);

// Of the process sensor.
Line Forked(const v1::ProcessForked& forked);
Line Started(const v1::ProcessStarted& started);
Line Ended(const v1::ProcessEnded& ended);
Line PrivilegeChanged(const v1::PrivilegeChanged& changed);
Line Traced(const v1::ProcessTraced& traced);
Line ModuleLoaded(const v1::ModuleLoaded& loaded);
Line Connected(const v1::Connection& connection, std::string_view host_name);

}  // namespace cordon::controller::ocsf
