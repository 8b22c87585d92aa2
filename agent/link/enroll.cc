#include "agent/link/enroll.h"

#include <grpcpp/client_context.h>

#include <boost/asio/ip/address.hpp>
#include <utility>

#include "agent/link/address_book.h"
#include "agent/link/channel.h"
#include "agent/link/file_set.h"
#include "agent/link/resolver.h"
#include "agent/orders/trust_chain.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/key.h"
#include "common/crypto/x25519.h"
#include "common/crypto/x509.h"
#include "common/rpc/status.h"
#include "common/wire/enrollment_file.h"
#include "common/wire/trust.h"
#include "cordon/v1/gateway.grpc.pb.h"
#include "platform/api/files.h"
#include "platform/api/key_protection.h"

namespace cordon::agent {
namespace {

// Errors that another controller might not give.
bool TryAnother(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsInternal(status) ||
         absl::IsCancelled(status) || absl::IsUnknown(status);
}

absl::StatusOr<v1::EnrollmentFile> ReadFile(const EnrollOptions& options, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(const std::string text,
                          platform::ReadFileBounded(options.file, 2 * kMaxEnrollmentFileBytes));
  absl::StatusOr<v1::EnrollmentFile> file = ReadEnrollmentFile(text);
  if (!file.ok()) return Annotate(file.status(), options.file.string());
  if (now >= file->expiry_unix_nanos()) {
    return absl::FailedPreconditionError(StrCat(options.file.string(), ": the enrolment file expired at ",
                                                FormatTime(file->expiry_unix_nanos()), " and the clock says ",
                                                FormatTime(now), "; ask for a new one, or set the clock"));
  }
  // The certificate begins an hour before the file was made, for clocks that are a little behind.
  const absl::StatusOr<CertificateInfo> bootstrap = ReadCertificate(file->bootstrap_certificate_pem());
  if (bootstrap.ok() && now < bootstrap->not_before_unix_nanos) {
    return absl::FailedPreconditionError(StrCat(options.file.string(), ": the enrolment file was made after ",
                                                FormatTime(bootstrap->not_before_unix_nanos),
                                                " and the clock says ", FormatTime(now), "; set the clock"));
  }
  return file;
}

std::vector<Candidate> CandidatesOf(const HostPort& controller, std::string* errors) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(controller.host, error);
  if (!error) return {{{address, controller.port}, address.to_string()}};
  const auto addresses = SystemLookup(controller.host);
  if (!addresses.ok()) {
    StrAppend(errors, "\n  ", Message(addresses.status()));
    return {};
  }
  std::vector<Candidate> candidates;
  for (const auto& found : *addresses) candidates.push_back({{found, controller.port}, controller.host});
  return candidates;
}

absl::StatusOr<v1::EnrollResponse> CallOne(const Candidate& candidate, const v1::EnrollmentFile& file,
                                           const v1::EnrollRequest& request, std::chrono::seconds timeout) {
  CORDON_ASSIGN_OR_RETURN(
      const auto channel,
      OpenChannel({.endpoint = candidate.endpoint,
                   .tls_name = candidate.tls_name,
                   .tls = {file.ca_pem(), file.bootstrap_certificate_pem(), file.bootstrap_key_pem()},
                   .connect_timeout = timeout,
                   .keepalive_interval = timeout,
                   .keepalive_timeout = timeout}));
  const auto stub = v1::AgentGateway::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  v1::EnrollResponse response;
  CORDON_RETURN_IF_ERROR(FromGrpcStatus(stub->Enroll(&context, request, &response)));
  return response;
}

absl::StatusOr<v1::EnrollResponse> CallAny(const v1::EnrollmentFile& file, const v1::EnrollRequest& request,
                                           std::chrono::seconds timeout) {
  std::string errors;
  for (const std::string& text : file.controllers()) {
    CORDON_ASSIGN_OR_RETURN(const HostPort controller, ParseHostPort(text));
    for (const Candidate& candidate : CandidatesOf(controller, &errors)) {
      auto response = CallOne(candidate, file, request, timeout);
      if (response.ok()) return response;
      if (!TryAnother(response.status())) {
        return Annotate(response.status(), StrCat("the controller at ", candidate.Text(), " refused"));
      }
      StrAppend(&errors, "\n  ", candidate.Text(), ": ", Printable(Message(response.status())));
    }
  }
  return absl::UnavailableError(StrCat("no controller could be reached:", errors));
}

// Who may order what: the bundle that the file pins, whole, and of this fleet (AUT-1, AUT-3).
absl::Status CheckTrust(const v1::EnrollmentFile& file, const v1::SignedTrustBundle& signed_bundle) {
  const absl::StatusOr<v1::TrustBundle> bundle =
      VerifyTrustBundleHash(signed_bundle, file.trust_bundle_sha256());
  absl::Status status = bundle.status();
  if (status.ok()) status = CheckTrustBundle(*bundle);
  if (status.ok() && bundle->fleet_id() != file.fleet_id())
    status = absl::InvalidArgumentError("it is for another fleet");
  if (status.ok()) return status;
  return absl::PermissionDeniedError(StrCat(
      "the controller's trust bundle is not to be trusted: ", Message(status), "; ask who made the file"));
}

absl::Status Store(const std::filesystem::path& folder, v1::EnrollmentFile file, const HostState& state,
                   const std::string& unlock_key_pem) {
  file.clear_token();
  file.clear_bootstrap_certificate_pem();
  file.clear_bootstrap_key_pem();
  file.clear_check();
  CORDON_ASSIGN_OR_RETURN(const std::string key, platform::SealKey(state.credentials.key_pem));
  CORDON_ASSIGN_OR_RETURN(const std::string unlock_key, platform::SealKey(unlock_key_pem));
  return ReplaceFilesTogether(folder, {{kHostKeyFile, key},
                                       {kHostCertificateFile, state.credentials.certificate_pem},
                                       {kEnrollmentFile, file.SerializeAsString()},
                                       {kTrustFile, state.trust.SerializeAsString()},
                                       {kUnlockKeyFile, unlock_key},
                                       {kTrustOrderFile, ""}});  // changes of trust follow from the new root
}

}  // namespace

absl::StatusOr<HostState> CheckEnrollResponse(const v1::EnrollmentFile& file,
                                              const v1::EnrollResponse& response, const EVP_PKEY& key,
                                              int64_t now_unix_nanos) {
  const auto distrust = [](const absl::Status& status) {
    return absl::PermissionDeniedError(
        StrCat("the certificate that the controller gave is not to be trusted: ", Message(status)));
  };
  const std::string& pem = response.certificate_pem();
  if (const auto status = CheckCertificate(pem, file.ca_pem(), now_unix_nanos); !status.ok())
    return distrust(status);
  if (const auto status = CheckKeyMatches(pem, key); !status.ok()) return distrust(status);
  const absl::StatusOr<CertificateInfo> info = ReadCertificate(pem);
  if (!info.ok()) return distrust(info.status());
  if (info->identity.kind != IdentityKind::kHost || info->identity.id != response.host_id() ||
      info->identity.organisation != response.organisation()) {
    return distrust(absl::InvalidArgumentError(
        StrCat("it names ", FormatIdentity(info->identity), ", not the host that was enrolled")));
  }
  CORDON_RETURN_IF_ERROR(CheckTrust(file, response.trust_bundle()));

  HostState state;
  state.identity = {info->identity.id,
                    info->identity.organisation,
                    file.fleet_id(),
                    file.site(),
                    {file.labels().begin(), file.labels().end()}};
  state.credentials.certificate_pem = pem;
  state.credentials.not_before_unix_nanos = info->not_before_unix_nanos;
  state.credentials.not_after_unix_nanos = info->not_after_unix_nanos;
  CORDON_ASSIGN_OR_RETURN(state.credentials.key_pem, PrivateKeyToPem(key));
  for (const std::string& text : file.controllers()) {
    CORDON_ASSIGN_OR_RETURN(HostPort controller, ParseHostPort(text));
    state.controllers.push_back(std::move(controller));
  }
  state.enrollment_ca_pem = file.ca_pem();
  state.ca_pem = file.ca_pem();
  state.trust = response.trust_bundle();
  return state;
}

absl::StatusOr<HostState> Enroll(const EnrollOptions& options, const Clock& clock) {
  CORDON_RETURN_IF_ERROR(FinishReplacingFiles(options.state_dir));
  if (!options.replace && IsEnrolled(options.state_dir)) {
    return absl::FailedPreconditionError(StrCat("this host is enrolled already (", options.state_dir.string(),
                                                "); give --replace to give that enrolment up"));
  }
  CORDON_ASSIGN_OR_RETURN(const v1::EnrollmentFile file, ReadFile(options, clock.WallNanos()));
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewTlsKey());  // AUT-1: made here, never sent
  v1::EnrollRequest request;
  request.set_enrollment_id(file.enrollment_id());
  request.set_token(file.token());
  *request.mutable_facts() = options.facts;
  CORDON_ASSIGN_OR_RETURN(const KeyPtr unlock_key, NewX25519Key());  // AUT-5: as much
  CORDON_ASSIGN_OR_RETURN(*request.mutable_facts()->mutable_unlock_public_key(),
                          RawX25519PublicKey(*unlock_key));
  CORDON_ASSIGN_OR_RETURN(const std::string unlock_key_pem, PrivateKeyToPem(*unlock_key));
  CORDON_ASSIGN_OR_RETURN(*request.mutable_csr_der(), MakeCsrDer(*key));
  CORDON_ASSIGN_OR_RETURN(const v1::EnrollResponse response, CallAny(file, request, options.timeout));
  CORDON_ASSIGN_OR_RETURN(HostState state, CheckEnrollResponse(file, response, *key, clock.WallNanos()));
  CORDON_RETURN_IF_ERROR(Store(options.state_dir, file, state, unlock_key_pem));
  return state;
}

}  // namespace cordon::agent
