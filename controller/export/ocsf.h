#pragma once

// Stored events in the words of the Open Cybersecurity Schema Framework, version 1.8
// (https://schema.ocsf.io/1.8.0), one JSON object per event, so that a SIEM reads them without a parser of
// its own. Pure.
//
//   process forked, started, ended, traced,
//   other privileges                          Process Activity 1007
//   kernel module loaded                      Kernel Extension Activity 1002
//   connection                                Network Activity 4001
//   file changed                              File System Activity 1001
//   isolation changed, outcome of isolation,
//   unlocked by phone                         Remediation Activity 7001
//   outcome of a scan                         Scan Activity 6007
//   finding, rules drift, forked audit log,
//   wrong unlock code                         Detection Finding 2004
//   all else: lifecycle, health, gaps, bursts Application Lifecycle 6002
//
// What has no attribute there stands under `unmapped`, named as in event.proto.

#include <boost/json/object.hpp>
#include <string_view>

#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

inline constexpr std::string_view kOcsfVersion = "1.8.0";

// `product_version`: this Cordon's. Valid for every event, also one of a kind that this version does not
// know.
boost::json::object ToOcsf(const v1::QueryEventsResponse& event, std::string_view product_version);

// What the controller found about a host (controller/store/host_notice.h), as a finding. `entry`: of the
// audit log, whose hash is metadata.uid; its subject is the host's id.
boost::json::object NoticeToOcsf(const v1::AuditEntry& entry, std::string_view host_name,
                                 std::string_view product_version);

}  // namespace cordon::controller
