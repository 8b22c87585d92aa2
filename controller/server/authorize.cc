#include "controller/server/authorize.h"

#include <array>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::controller {
namespace {

constexpr std::string_view kEnroll = "/cordon.v1.AgentGateway/Enroll";
constexpr std::string_view kGateway = "/cordon.v1.AgentGateway/";
constexpr std::string_view kOperator = "/cordon.v1.Operator/";

// Tells nothing of the fleet: open to every certificate of it.
constexpr std::string_view kHealthCheck = "/grpc.health.v1.Health/Check";

// What stock tools of operators call beside. Streams that nobody counts, and reflection holds a thread each:
// not for hosts (AUT-6).
constexpr std::array<std::string_view, 3> kOperatorsTools = {"/grpc.health.v1.Health/Watch",
                                                             "/grpc.reflection.v1alpha.ServerReflection/",
                                                             "/grpc.reflection.v1.ServerReflection/"};

struct KindOfCaller {
  std::string_view name;
  std::string_view rights;
};

KindOfCaller Describe(IdentityKind kind) {
  switch (kind) {
    case IdentityKind::kBootstrap:
      return {"bootstrap", "may call AgentGateway.Enroll and nothing else"};
    case IdentityKind::kHost:
      return {"host", "may call AgentGateway's Renew, Control and Telemetry"};
    case IdentityKind::kOperator:
      return {"operator", "may call the Operator service"};
    case IdentityKind::kController:
      break;
  }
  return {"controller", "may call nothing but health"};
}

bool IsAllowed(IdentityKind kind, std::string_view method) {
  if (method == kHealthCheck) return true;
  for (const std::string_view tool : kOperatorsTools) {
    if (method.starts_with(tool)) return kind == IdentityKind::kOperator;
  }
  if (method == kEnroll) return kind == IdentityKind::kBootstrap;
  if (method.starts_with(kGateway)) return kind == IdentityKind::kHost;
  if (method.starts_with(kOperator)) return kind == IdentityKind::kOperator;
  return false;
}

}  // namespace

absl::Status Authorize(const Identity& caller, std::string_view organisation, std::string_view method) {
  if (caller.organisation != organisation) {
    return absl::PermissionDeniedError(StrCat("the certificate is of organisation '",
                                              Printable(caller.organisation), "', this controller serves '",
                                              organisation, "'"));
  }
  if (IsAllowed(caller.kind, method)) return absl::OkStatus();
  const KindOfCaller described = Describe(caller.kind);
  return absl::PermissionDeniedError(StrCat("a ", described.name, " certificate may not call ",
                                            Printable(method.substr(0, 200)), ": it ", described.rights));
}

std::string ActorName(const Identity& caller) {
  return StrCat(Describe(caller.kind).name, "/", caller.id);
}

}  // namespace cordon::controller
