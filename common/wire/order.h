#pragma once

// What an order may say. Pure: the same code judges it where it is signed, stored and obeyed.

#include <absl/status/status.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/v1/order.pb.h"

namespace cordon {

inline constexpr size_t kMaxOrderBytes = 4 * 1024 * 1024;
inline constexpr int kMaxTargetHosts = 100'000;
inline constexpr int64_t kMaxOrderLifeNanos = 90LL * 24 * 3600 * 1'000'000'000;
// A change of trust: a host that was off for long follows every version (AUT-3).
inline constexpr int64_t kMaxTrustOrderLifeNanos = 3'653LL * 24 * 3600 * 1'000'000'000;
// How far a sequence, in microseconds, may be ahead of not_before: one operator's wrong clock must not shut a
// lane for the others.
inline constexpr uint64_t kMaxSequenceLeadMicros = 3600ULL * 1'000'000;

inline constexpr std::string_view kIsolationLane = "isolation";
inline constexpr std::string_view kScanLane = "scan";
inline constexpr std::string_view kPolicyLane = "policy";
inline constexpr std::string_view kTrustLane = "trust";

// OK when all required fields are there and every field is within the bounds of order.proto, isolation.proto
// and scan.proto (AUT-6), and there is none besides that this version does not know (AUT-4). INVALID_ARGUMENT
// names the field. Judges neither time, nor fleet, nor signatures.
absl::Status CheckOrder(const v1::Order& order);

// The parts of CheckOrder, for those who take them alone.
absl::Status CheckTarget(const v1::Target& target);
absl::Status CheckLabels(const google::protobuf::RepeatedPtrField<v1::Label>& labels);
absl::Status CheckScanSpec(const v1::ScanSpec& spec);
absl::Status CheckIsolateAction(const v1::IsolateAction& action);
// Of an order of `level`.
absl::Status CheckLease(const v1::Lease& lease, v1::Level level);
absl::Status CheckPolicy(const v1::Policy& policy);

// The lane whose sequence the order belongs to (ISO-9); empty for an order without an action.
std::string_view LaneOf(const v1::Order& order);

// The class of the action itself; UNSPECIFIED for an order without one. A target of the whole group asks for
// the threshold of ACTION_CLASS_WHOLE_GROUP on top: see RequiredSignatures in common/wire/trust.h.
v1::Threshold::ActionClass ActionClassOf(const v1::Order& order);

// What a target is held against: on a host its own name and its enrolment file's site and labels, never what
// the controller says (AUT-3).
struct HostTraits {
  std::string host_id;
  std::string name;
  std::string site;
  std::vector<v1::Label> labels;
};

// True when any part of `target` means the host. An entry of `hosts` with a name means it only when both the
// id and the name are the host's own. Host names are compared without regard to case.
bool TargetMatches(const v1::Target& target, const HostTraits& host);

}  // namespace cordon
