#include "controller/server/bounds.h"

#include <grpcpp/support/slice.h>

#include <limits>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/host_report.h"
#include "common/wire/message_parts.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxHelloBytes = 512 * 1024;   // two receipts, with room
constexpr size_t kMaxControlParts = 64 * 1024;  // the longest rehearsal has less than half of them
constexpr size_t kMaxHostName = 253;
constexpr size_t kMaxFact = 256;
constexpr int kMaxAddresses = 64;
constexpr size_t kMaxFactsBytes = 32 * 1024;  // with what a newer agent says beside these fields
constexpr size_t kUnlockKeyBytes = 32;
constexpr size_t kMaxCsr = 16 * 1024;
constexpr size_t kTokenBytes = 32;
constexpr int kMaxLanes = 16;
constexpr int kMaxParts = 64;
constexpr size_t kMaxRehearsalBytes = 3 * 1024 * 1024;
constexpr int kMaxForecastFlows = 5'000;
constexpr uint64_t kMaxEventLimit = 100'000;
constexpr uint32_t kMaxAuditLimit = 1'000;
constexpr size_t kMaxActionPrefix = 64;
constexpr int kMaxTargetParts = 1'000;
constexpr int kMaxLabels = 64;
constexpr uint32_t kMaxUses = 100'000;
constexpr int64_t kMinEnrollment = 60 * kNanosPerSecond;
constexpr int64_t kMaxEnrollment = 90LL * 24 * 3600 * kNanosPerSecond;
constexpr int64_t kMaxPollTimeout = 60 * kNanosPerSecond;

absl::Status CheckText(std::string_view field, std::string_view value, size_t max_bytes) {
  if (IsPlainText(value, max_bytes)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(field, " is not text of at most ", max_bytes, " bytes without control characters"));
}

absl::Status CheckId(std::string_view field, std::string_view value) {
  if (IsUuid(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(field, " is not a UUID"));
}

template <typename Number>
absl::Status CheckRange(std::string_view field, Number value, Number low, Number high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(field, " is ", value, ", not ", low, " to ", high));
}

absl::Status CheckSize(std::string_view what, size_t bytes, size_t max_bytes) {
  if (bytes <= max_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(what, " has ", bytes, " bytes, more than ", max_bytes));
}

absl::Status CheckPartsOf(const google::protobuf::Descriptor& type, const grpc::ByteBuffer& message,
                          size_t most) {
  if (message.Length() / 2 <= most) return absl::OkStatus();  // not enough bytes for so many
  grpc::Slice whole;
  if (!message.DumpToSingleSlice(&whole).ok()) return absl::InvalidArgumentError("a message that is none");
  return CheckParts(type, {reinterpret_cast<const char*>(whole.begin()), whole.size()}, most);
}

}  // namespace

absl::Status CheckRequestBytes(const google::protobuf::Descriptor& type, const grpc::ByteBuffer& bytes,
                               const RequestBounds& bounds) {
  CORDON_RETURN_IF_ERROR(CheckSize("the request", bytes.Length(), bounds.bytes));
  return CheckPartsOf(type, bytes, bounds.parts);
}

absl::Status CheckControlBytes(const grpc::ByteBuffer& message, bool greeted) {
  if (!greeted) CORDON_RETURN_IF_ERROR(CheckSize("the first message", message.Length(), kMaxHelloBytes));
  return CheckPartsOf(*v1::ControlRequest::descriptor(), message, kMaxControlParts);
}

absl::Status CheckFacts(const v1::HostFacts& facts) {
  CORDON_RETURN_IF_ERROR(CheckSize("facts", facts.ByteSizeLong(), kMaxFactsBytes));  // AUT-6: all is stored
  if (facts.host_name().empty()) return absl::InvalidArgumentError("facts.host_name is empty");
  CORDON_RETURN_IF_ERROR(CheckText("facts.host_name", facts.host_name(), kMaxHostName));
  CORDON_RETURN_IF_ERROR(CheckText("facts.os", facts.os(), kMaxFact));
  CORDON_RETURN_IF_ERROR(CheckText("facts.kernel", facts.kernel(), kMaxFact));
  CORDON_RETURN_IF_ERROR(CheckText("facts.architecture", facts.architecture(), kMaxFact));
  CORDON_RETURN_IF_ERROR(CheckText("facts.agent_version", facts.agent_version(), kMaxFact));
  CORDON_RETURN_IF_ERROR(CheckText("facts.machine_id", facts.machine_id(), kMaxFact));
  CORDON_RETURN_IF_ERROR(
      CheckRange("facts.addresses: their number", facts.addresses_size(), 0, kMaxAddresses));
  for (const std::string& address : facts.addresses()) {
    CORDON_RETURN_IF_ERROR(CheckText("facts.addresses", address, kMaxFact));
  }
  if (facts.unlock_public_key().empty()) return absl::OkStatus();  // of a host that has none
  return CheckRange("facts.unlock_public_key: its length", facts.unlock_public_key().size(), kUnlockKeyBytes,
                    kUnlockKeyBytes);
}

absl::Status CheckEnroll(const v1::EnrollRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckId("enrollment_id", request.enrollment_id()));
  CORDON_RETURN_IF_ERROR(CheckRange("token: its length", request.token().size(), kTokenBytes, kTokenBytes));
  CORDON_RETURN_IF_ERROR(CheckSize("csr_der", request.csr_der().size(), kMaxCsr));
  return CheckFacts(request.facts());
}

absl::Status CheckHello(const v1::Hello& hello) {
  CORDON_RETURN_IF_ERROR(CheckFacts(hello.facts()));
  CORDON_RETURN_IF_ERROR(CheckId("hello.session_id", hello.session_id()));
  CORDON_RETURN_IF_ERROR(CheckText("hello.boot_id", hello.boot_id(), kMaxFact));
  CORDON_RETURN_IF_ERROR(CheckRange("hello.lanes: their number", hello.lanes_size(), 0, kMaxLanes));
  CORDON_RETURN_IF_ERROR(
      CheckRange("hello.health.parts: their number", hello.health().parts_size(), 0, kMaxParts));
  return CheckReceipt(hello.receipt());
}

absl::Status CheckProgress(const v1::ScanProgress& progress) {
  CORDON_RETURN_IF_ERROR(CheckId("progress.order_id", progress.order_id()));
  return CheckSize("a scan's progress", progress.ByteSizeLong(), kMaxOutcomeBytes);
}

absl::Status CheckSelection(const v1::Target& target) {
  CORDON_RETURN_IF_ERROR(CheckRange("target.hosts: their number", target.hosts_size(), 0, kMaxTargetHosts));
  CORDON_RETURN_IF_ERROR(CheckRange("target.sites: their number", target.sites_size(), 0, kMaxTargetParts));
  CORDON_RETURN_IF_ERROR(CheckRange("target.labels: their number", target.labels_size(), 0, kMaxTargetParts));
  for (const v1::TargetHost& host : target.hosts()) {
    if (host.host_id().empty() && host.name().empty()) {
      return absl::InvalidArgumentError("target.hosts names a host by neither id nor name");
    }
    if (!host.host_id().empty()) CORDON_RETURN_IF_ERROR(CheckId("target.hosts.host_id", host.host_id()));
    CORDON_RETURN_IF_ERROR(CheckText("target.hosts.name", host.name(), kMaxHostName));
  }
  for (const std::string& site : target.sites()) {
    if (!IsName(site))
      return absl::InvalidArgumentError("target.sites is not 1 to 64 characters of [a-z0-9-]");
  }
  return CheckLabels(target.labels());
}

absl::Status CheckCreateEnrollment(const v1::CreateEnrollmentRequest& request) {
  if (!IsName(request.site()))
    return absl::InvalidArgumentError("site is not 1 to 64 characters of [a-z0-9-]");
  CORDON_RETURN_IF_ERROR(CheckRange("labels: their number", request.labels_size(), 0, kMaxLabels));
  CORDON_RETURN_IF_ERROR(CheckLabels(request.labels()));
  CORDON_RETURN_IF_ERROR(CheckRange("uses", request.uses(), 1U, kMaxUses));
  return CheckRange("length_nanos", request.length_nanos(), kMinEnrollment, kMaxEnrollment);
}

absl::Status CheckPollHealth(const v1::PollHealthRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckRange<int64_t>("timeout_nanos", request.timeout_nanos(), 0, kMaxPollTimeout));
  return CheckSelection(request.target());
}

absl::Status CheckRehearse(const v1::RehearseRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckRange<int64_t>("timeout_nanos", request.timeout_nanos(), 0, kMaxPollTimeout));
  if (!request.has_target()) return absl::InvalidArgumentError("target is missing");
  if (!request.has_action()) return absl::InvalidArgumentError("action is missing");
  CORDON_RETURN_IF_ERROR(Annotate(CheckIsolateAction(request.action()), "action"));
  return CheckSelection(request.target());
}

absl::Status CheckRehearsalAnswer(const v1::RehearsalAnswer& answer) {
  CORDON_RETURN_IF_ERROR(CheckSize("a rehearsal", answer.ByteSizeLong(), kMaxRehearsalBytes));
  return CheckRange("rehearsal.flows: their number", answer.rehearsal().flows_size(), 0, kMaxForecastFlows);
}

absl::Status CheckQueryEvents(const v1::QueryEventsRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckRange("classes: their number", request.classes_size(), 0, 16));
  CORDON_RETURN_IF_ERROR(CheckRange<uint64_t>("limit", request.limit(), 0, kMaxEventLimit));
  if (request.until_unix_nanos() != 0 && request.until_unix_nanos() <= request.since_unix_nanos()) {
    return absl::InvalidArgumentError("until_unix_nanos is not after since_unix_nanos");
  }
  if (!request.follow() && (request.places() || request.has_after() || request.history_position() != 0)) {
    return absl::InvalidArgumentError("places, after and history_position are for follow only");
  }
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  CORDON_RETURN_IF_ERROR(CheckRange<uint64_t>("history_position", request.history_position(), 0, kMost));
  if (request.has_after()) {
    CORDON_RETURN_IF_ERROR(CheckRange<uint64_t>("after.batch", request.after().batch(), 1, kMost));
  }
  return CheckSelection(request.target());
}

absl::Status CheckListAudit(const v1::ListAuditRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckRange<uint32_t>("limit", request.limit(), 0, kMaxAuditLimit));
  if (!request.host_id().empty()) CORDON_RETURN_IF_ERROR(CheckId("host_id", request.host_id()));
  const std::string& prefix = request.action_prefix();
  if (prefix.size() > kMaxActionPrefix ||
      prefix.find_first_not_of("abcdefghijklmnopqrstuvwxyz._") != std::string::npos) {
    return absl::InvalidArgumentError("action_prefix is not at most 64 characters of [a-z._]");
  }
  return absl::OkStatus();
}

}  // namespace cordon::controller
