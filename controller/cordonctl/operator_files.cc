#include "controller/cordonctl/operator_files.h"

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/pem.h"
#include "common/wire/operator_identity.h"
#include "controller/keys/operator_request.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

constexpr std::string_view kRequestLabel = "CORDON OPERATOR REQUEST";
constexpr std::string_view kWelcomeLabel = "CORDON OPERATOR WELCOME";
constexpr std::string_view kPendingLabel = "CORDON OPERATOR PENDING";
constexpr size_t kFingerprintBytes = 16;
constexpr size_t kGroup = 4;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

template <typename Message>
absl::StatusOr<Message> Unarmour(std::string_view label, std::string_view text) {
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, PemUnarmour(label, text, kMaxOperatorFileBytes));
  Message message;
  if (!message.ParseFromString(bytes)) return Bad("the content of the armour is damaged");
  if (message.format() != 1) return Bad(StrCat("format ", message.format(), " is not known to this version"));
  if (!IsUuid(message.operator_id())) return Bad("no operator id");
  return message;
}

// Somebody who becomes an operator may be given the role unlock.
absl::Status CheckNewcomer(const v1::OperatorRequest& request) {
  CORDON_RETURN_IF_ERROR(controller::CheckRequest(request));
  return request.unlock_public_key().empty() ? Bad("there is no unlock key in it") : absl::OkStatus();
}

}  // namespace

std::string WriteRequest(const v1::OperatorRequest& request) {
  return PemArmour(kRequestLabel, request.SerializeAsString());
}

absl::StatusOr<v1::OperatorRequest> ReadRequest(std::string_view text) {
  absl::StatusOr<v1::OperatorRequest> request = Unarmour<v1::OperatorRequest>(kRequestLabel, text);
  if (!request.ok()) return Annotate(request.status(), "operator request");
  CORDON_RETURN_IF_ERROR(Annotate(CheckNewcomer(*request), "operator request"));
  return request;
}

std::string WriteWelcome(const v1::OperatorWelcome& welcome) {
  return PemArmour(kWelcomeLabel, welcome.SerializeAsString());
}

absl::StatusOr<v1::OperatorWelcome> ReadWelcome(std::string_view text) {
  absl::StatusOr<v1::OperatorWelcome> welcome = Unarmour<v1::OperatorWelcome>(kWelcomeLabel, text);
  if (!welcome.ok()) return Annotate(welcome.status(), "operator welcome");
  return welcome;
}

std::string WritePending(const v1::OperatorIdentity& pending) {
  return PemArmour(kPendingLabel, pending.SerializeAsString());
}

absl::StatusOr<v1::OperatorIdentity> ReadPending(std::string_view text) {
  absl::StatusOr<v1::OperatorIdentity> pending = Unarmour<v1::OperatorIdentity>(kPendingLabel, text);
  if (!pending.ok()) return Annotate(pending.status(), "pending keys");
  return pending;
}

absl::StatusOr<v1::OperatorIdentity> Join(const v1::OperatorIdentity& pending,
                                          const v1::OperatorWelcome& welcome) {
  if (pending.operator_id() != welcome.operator_id()) {
    return Bad(StrCat("the welcome is for operator ", welcome.operator_id(),
                      ", the keys that wait here are of ", pending.operator_id()));
  }
  v1::OperatorIdentity identity = pending;
  identity.set_fleet_id(welcome.fleet_id());
  *identity.mutable_controllers() = welcome.controllers();
  identity.set_ca_pem(welcome.ca_pem());
  identity.set_certificate_pem(welcome.certificate_pem());
  identity.set_trust_bundle_sha256(welcome.trust_bundle_sha256());
  identity.set_trust_version(welcome.trust_version());
  return ReadOperatorIdentity(WriteOperatorIdentity(identity));  // which judges the whole
}

absl::StatusOr<std::string> ReadOperatorFile(const std::string& path) {
  absl::StatusOr<std::string> text = platform::ReadFileBounded(path, kMaxOperatorFileBytes);
  if (!text.ok()) return absl::InvalidArgumentError(std::string(Message(text.status())));
  return text;
}

std::string PendingFile(const std::string& identity_path) {
  return identity_path + ".pending";
}

std::string Fingerprint(const google::protobuf::MessageLite& message) {
  const std::string hex = HexEncode(Sha256(message.SerializeAsString()).substr(0, kFingerprintBytes));
  std::string text;
  for (size_t at = 0; at < hex.size(); at += kGroup) {
    StrAppend(&text, text.empty() ? "" : " ", hex.substr(at, kGroup));
  }
  return text;
}

}  // namespace cordon::ctl
