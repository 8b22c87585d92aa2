#include "controller/server/caller.h"

#include <absl/status/statusor.h>
#include <grpc/grpc_security_constants.h>
#include <spdlog/spdlog.h>

#include <string_view>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/rpc/status.h"
#include "controller/server/authorize.h"

namespace cordon::controller {
namespace {

// UNAUTHENTICATED when the peer has none of ours.
absl::StatusOr<CertificateInfo> CertificateOf(const grpc::AuthContext& context) {
  const std::vector<grpc::string_ref> certificates =
      context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!context.IsPeerAuthenticated() || certificates.size() != 1) {
    return absl::UnauthenticatedError("the peer has no certificate of this fleet");
  }
  const absl::StatusOr<CertificateInfo> info =
      ReadCertificate(std::string_view(certificates[0].data(), certificates[0].size()));
  if (!info.ok()) {
    return absl::UnauthenticatedError(
        StrCat("the peer's certificate is not one of ours: ", Message(info.status())));
  }
  return *info;
}

// The handshake has looked at the same, at its time: a connection outlives it.
absl::Status CheckTime(const CertificateInfo& certificate, int64_t now_unix_nanos) {
  if (now_unix_nanos < certificate.not_after_unix_nanos) return absl::OkStatus();
  return absl::UnauthenticatedError(StrCat("the certificate of ", FormatIdentity(certificate.identity),
                                           " has ended, at ", FormatTime(certificate.not_after_unix_nanos),
                                           ": connect with a newer one"));
}

}  // namespace

// The gate has read the same certificate of the same connection; an empty identity matches nothing, and an
// end of 0 is past.
Identity CallerOf(const grpc::CallbackServerContext& context) {
  return CertificateOf(*context.auth_context()).value_or(CertificateInfo()).identity;
}

int64_t CertificateEndOf(const grpc::CallbackServerContext& context) {
  return CertificateOf(*context.auth_context()).value_or(CertificateInfo()).not_after_unix_nanos;
}

std::string CertificatePemOf(const grpc::CallbackServerContext& context) {
  const std::vector<grpc::string_ref> certificates =
      context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return certificates.size() == 1 ? std::string(certificates[0].data(), certificates[0].size()) : "";
}

CallGate::CallGate(std::string organisation, const Clock& clock)
    : organisation_(std::move(organisation)), clock_(clock) {}

grpc::Status CallGate::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                               OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) {
  const auto judge = [&]() -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const CertificateInfo caller, CertificateOf(*context));
    CORDON_RETURN_IF_ERROR(CheckTime(caller, clock_.WallNanos()));
    const auto path = metadata.find(":path");
    const std::string_view method = path == metadata.end()
                                        ? std::string_view()
                                        : std::string_view(path->second.data(), path->second.size());
    return Authorize(caller.identity, organisation_, method);
  };
  const absl::Status judged = judge();
  if (!judged.ok()) spdlog::warn("refused a call: {}", Printable(Message(judged)));
  return ToGrpcStatus(judged);
}

}  // namespace cordon::controller
