#include "controller/cordonctl/audit_file.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/wire/json.h"

namespace cordon::ctl {
namespace {

constexpr const char* kCheckpoint = "checkpoint";
constexpr const char* kSignature = "ed25519";
constexpr const char* kTrustBundle = "trust_bundle";
constexpr size_t kMaxAuditEndBytes = 16 * 1024 * 1024;  // a trust bundle of 4 MiB in hexadecimal, with room

absl::StatusOr<boost::json::object> ParseLine(std::string_view line, size_t max_bytes) {
  if (line.size() > max_bytes) return absl::InvalidArgumentError("no audit entry: the line is too long");
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse({line.data(), line.size()}, error);
  if (error || !parsed.is_object()) return absl::InvalidArgumentError("no audit entry: not a JSON object");
  return parsed.get_object();
}

absl::Status Bad(std::string_view field) {
  return absl::InvalidArgumentError(StrCat("no audit entry: ", field, " is missing or of the wrong kind"));
}

template <typename Integer>
absl::Status Number(const boost::json::object& line, const char* field, Integer* value) {
  const boost::json::value* const found = line.if_contains(field);
  if (found == nullptr) return Bad(field);
  boost::json::error_code error;
  *value = found->to_number<Integer>(error);
  return error ? Bad(field) : absl::OkStatus();
}

absl::Status Text(const boost::json::object& line, const char* field, std::string* value) {
  const boost::json::value* const found = line.if_contains(field);
  if (found == nullptr || !found->is_string()) return Bad(field);
  value->assign(found->get_string().data(), found->get_string().size());
  return absl::OkStatus();
}

absl::Status Bytes(const boost::json::object& line, const char* field, std::string* value) {
  CORDON_RETURN_IF_ERROR(Text(line, field, value));
  const absl::StatusOr<std::string> bytes = HexDecode(*value);
  if (!bytes.ok()) return Bad(field);
  *value = *bytes;
  return absl::OkStatus();
}

}  // namespace

std::string FormatAuditLine(const v1::AuditEntry& entry) {
  return boost::json::serialize(ToJson(entry)) + "\n";
}

std::string FormatAuditEnd(const AuditEnd& end) {
  return boost::json::serialize(boost::json::object{{kCheckpoint, HexEncode(end.checkpoint.checkpoint())},
                                                    {kSignature, HexEncode(end.checkpoint.ed25519())},
                                                    {kTrustBundle, HexEncode(end.trust_bundle)}}) +
         "\n";
}

bool IsAuditEnd(std::string_view line) {
  return line.starts_with(StrCat("{\"", kCheckpoint, "\":"));
}

absl::StatusOr<AuditEnd> ParseAuditEnd(std::string_view line) {
  CORDON_ASSIGN_OR_RETURN(const boost::json::object object, ParseLine(line, kMaxAuditEndBytes));
  AuditEnd end;
  CORDON_RETURN_IF_ERROR(Bytes(object, kCheckpoint, end.checkpoint.mutable_checkpoint()));
  CORDON_RETURN_IF_ERROR(Bytes(object, kSignature, end.checkpoint.mutable_ed25519()));
  CORDON_RETURN_IF_ERROR(Bytes(object, kTrustBundle, &end.trust_bundle));
  return end;
}

absl::StatusOr<v1::AuditEntry> ParseAuditLine(std::string_view line) {
  CORDON_ASSIGN_OR_RETURN(const boost::json::object object, ParseLine(line, kMaxAuditLineBytes));
  v1::AuditEntry entry;
  uint64_t index = 0;
  int64_t time = 0;
  CORDON_RETURN_IF_ERROR(Number(object, "index", &index));
  CORDON_RETURN_IF_ERROR(Number(object, "time_unix_nanos", &time));
  entry.set_index(index);
  entry.set_time_unix_nanos(time);
  CORDON_RETURN_IF_ERROR(Text(object, "actor", entry.mutable_actor()));
  CORDON_RETURN_IF_ERROR(Text(object, "action", entry.mutable_action()));
  CORDON_RETURN_IF_ERROR(Text(object, "subject", entry.mutable_subject()));
  CORDON_RETURN_IF_ERROR(Text(object, "detail", entry.mutable_detail()));
  CORDON_RETURN_IF_ERROR(Bytes(object, "previous_hash", entry.mutable_previous_hash()));
  CORDON_RETURN_IF_ERROR(Bytes(object, "hash", entry.mutable_hash()));
  return entry;
}

}  // namespace cordon::ctl
