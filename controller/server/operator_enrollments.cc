#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/random.h"
#include "controller/server/authorize.h"
#include "controller/server/bounds.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr size_t kTokenBytes = 32;

v1::EnrollmentFile FileOf(const ServerParts& parts, const NewEnrollment& enrollment,
                          const IssuedKeyPair& bootstrap) {
  v1::EnrollmentFile file;
  file.set_format(1);
  file.set_fleet_id(parts.pki.FleetId());
  for (const std::string& controller : parts.options.controllers) file.add_controllers(controller);
  file.set_ca_pem(parts.pki.CaPem());
  file.set_bootstrap_certificate_pem(bootstrap.certificate.pem);
  file.set_bootstrap_key_pem(bootstrap.key_pem);
  file.set_enrollment_id(enrollment.enrollment_id);
  file.set_token(enrollment.token);
  file.set_site(enrollment.site);
  for (const v1::Label& label : enrollment.labels) *file.add_labels() = label;
  file.set_expiry_unix_nanos(enrollment.expiry_unix_nanos);
  return file;  // trust_bundle_sha256 and check are for cordonctl to set, from what it knows itself (AUT-1)
}

}  // namespace

absl::Status CreateEnrollment(ServerParts& parts, const Identity& caller,
                              const v1::CreateEnrollmentRequest& request,
                              v1::CreateEnrollmentResponse* response) {
  CORDON_RETURN_IF_ERROR(CheckCreateEnrollment(request));
  CORDON_RETURN_IF_ERROR(CheckCallerMay(parts, caller, v1::TrustedOperator::ROLE_TRUST));
  NewEnrollment enrollment;
  enrollment.enrollment_id = NewUuid();
  enrollment.site = request.site();
  enrollment.labels.assign(request.labels().begin(), request.labels().end());
  enrollment.uses = request.uses();
  enrollment.expiry_unix_nanos = parts.clock.WallNanos() + request.length_nanos();
  enrollment.token = RandomBytes(kTokenBytes);
  CORDON_ASSIGN_OR_RETURN(const IssuedKeyPair bootstrap,
                          parts.pki.IssueBootstrap(enrollment.enrollment_id, enrollment.expiry_unix_nanos));
  enrollment.certificate = {bootstrap.certificate.serial_hex, bootstrap.certificate.not_before_unix_nanos,
                            bootstrap.certificate.not_after_unix_nanos};
  CORDON_RETURN_IF_ERROR(parts.store.CreateEnrollment(
      enrollment, {ActorName(caller), "enrollment.create", enrollment.enrollment_id,
                   StrCat("site ", enrollment.site, ", uses ", enrollment.uses, ", until ",
                          FormatTime(enrollment.expiry_unix_nanos))}));
  *response->mutable_file() = FileOf(parts, enrollment, bootstrap);
  return absl::OkStatus();
}

absl::Status ListEnrollments(ServerParts& parts, v1::ListEnrollmentsResponse* response) {
  CORDON_ASSIGN_OR_RETURN(std::vector<v1::Enrollment> enrollments, parts.store.ListEnrollments());
  for (v1::Enrollment& enrollment : enrollments) *response->add_enrollments() = std::move(enrollment);
  return absl::OkStatus();
}

absl::Status RevokeEnrollment(ServerParts& parts, const Identity& caller,
                              const v1::RevokeEnrollmentRequest& request) {
  if (!IsUuid(request.enrollment_id())) return absl::InvalidArgumentError("enrollment_id is not a UUID");
  CORDON_RETURN_IF_ERROR(CheckCallerMay(parts, caller, v1::TrustedOperator::ROLE_TRUST));
  return parts.store.RevokeEnrollment(request.enrollment_id(),
                                      {ActorName(caller), "enrollment.revoke", request.enrollment_id(), ""});
}

}  // namespace cordon::controller
