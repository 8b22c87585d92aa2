#pragma once

// Bounds of what comes in (AUT-6), beside those of common/wire/host_report.h: pure checks. INVALID_ARGUMENT
// names the field and its limit.

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>

#include "common/wire/order.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

// Before it is parsed, since a message may take many times its bytes in memory.
absl::Status CheckControlBytes(const grpc::ByteBuffer& message, bool greeted);

// Of a request, before it is parsed: its bytes, and its parts as common/wire/message_parts.h counts them.
struct RequestBounds {
  size_t bytes;
  size_t parts;
};
inline constexpr RequestBounds kHostRequest{128 * 1024, 64 * 1024};  // Enroll and Renew
// A batch, whose payload is bytes here; what is shorter than twice its parts costs nothing to look at.
inline constexpr RequestBounds kTelemetryRequest{5 * 1024 * 1024, 64 * 1024};
inline constexpr RequestBounds kSmallRequest{64 * 1024, 32 * 1024};   // of an operator: ids, texts, a CSR
inline constexpr RequestBounds kOrderRequest{5 * 1024 * 1024, 4096};  // an order is bytes here
// With a target: as many hosts as one may name, by id and name.
inline constexpr RequestBounds kTargetRequest{5 * 1024 * 1024, size_t{3} * kMaxTargetHosts + 16 * 1024};

// INVALID_ARGUMENT when these are not within the bounds of a request of this type.
absl::Status CheckRequestBytes(const google::protobuf::Descriptor& type, const grpc::ByteBuffer& bytes,
                               const RequestBounds& bounds);

absl::Status CheckFacts(const v1::HostFacts& facts);
absl::Status CheckEnroll(const v1::EnrollRequest& request);
absl::Status CheckHello(const v1::Hello& hello);
absl::Status CheckProgress(const v1::ScanProgress& progress);

// A target that selects hosts for a query: looser than an order's, which common/wire/order.h judges.
absl::Status CheckSelection(const v1::Target& target);
absl::Status CheckCreateEnrollment(const v1::CreateEnrollmentRequest& request);
absl::Status CheckPollHealth(const v1::PollHealthRequest& request);
absl::Status CheckRehearse(const v1::RehearseRequest& request);
absl::Status CheckRehearsalAnswer(const v1::RehearsalAnswer& answer);
absl::Status CheckQueryEvents(const v1::QueryEventsRequest& request);
absl::Status CheckListAudit(const v1::ListAuditRequest& request);

}  // namespace cordon::controller
