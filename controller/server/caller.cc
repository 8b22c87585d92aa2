#include "controller/server/caller.h"

#include <grpc/grpc_security_constants.h>
#include <spdlog/spdlog.h>

#include <string_view>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/rpc/status.h"
#include "controller/server/authorize.h"

namespace cordon::controller {

absl::StatusOr<Identity> CallerOf(const grpc::AuthContext& context) {
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
  return info->identity;
}

Identity CallerOf(const grpc::CallbackServerContext& context) {
  // The gate has read the same certificate of the same connection; an empty identity matches nothing.
  return CallerOf(*context.auth_context()).value_or(Identity{});
}

std::string CertificatePemOf(const grpc::CallbackServerContext& context) {
  const std::vector<grpc::string_ref> certificates =
      context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return certificates.size() == 1 ? std::string(certificates[0].data(), certificates[0].size()) : "";
}

CallGate::CallGate(std::string organisation) : organisation_(std::move(organisation)) {}

grpc::Status CallGate::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                               OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) {
  const auto judge = [&]() -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const Identity caller, CallerOf(*context));
    const auto path = metadata.find(":path");
    const std::string_view method = path == metadata.end()
                                        ? std::string_view()
                                        : std::string_view(path->second.data(), path->second.size());
    return Authorize(caller, organisation_, method);
  };
  const absl::Status judged = judge();
  if (!judged.ok()) spdlog::warn("refused a call: {}", Printable(Message(judged)));
  return ToGrpcStatus(judged);
}

}  // namespace cordon::controller
