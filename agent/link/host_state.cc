#include "agent/link/host_state.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "agent/link/file_set.h"
#include "agent/orders/trust_chain.h"
#include "common/base/status.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "platform/api/files.h"
#include "platform/api/key_protection.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxKeyBytes = 64 * 1024;
constexpr size_t kMaxTrustBytes = 4 * 1024 * 1024;

constexpr std::string_view kWhatToDo = "; enrol the host again with --replace";

absl::Status Damaged(const std::filesystem::path& path, std::string_view why) {
  return absl::DataLossError(StrCat(path.string(), " is damaged (", why, ")", kWhatToDo));
}

absl::StatusOr<std::string> ReadPart(const std::filesystem::path& path, size_t max_bytes) {
  absl::StatusOr<std::string> bytes = platform::ReadFileBounded(path, max_bytes);
  if (absl::IsNotFound(bytes.status()) || absl::IsOutOfRange(bytes.status())) {
    return Damaged(path, Message(bytes.status()));
  }
  return bytes;
}

absl::StatusOr<HostCredentials> LoadCredentials(const std::filesystem::path& state_dir,
                                                std::string* key_protection) {
  const std::filesystem::path certificate_path = state_dir / kHostCertificateFile;
  HostCredentials credentials;
  CORDON_ASSIGN_OR_RETURN(const std::string sealed, ReadPart(state_dir / kHostKeyFile, kMaxKeyBytes));
  absl::StatusOr<std::string> key_pem = platform::OpenKey(sealed);
  if (absl::IsUnavailable(key_pem.status()))
    return Annotate(key_pem.status(), StrCat((state_dir / kHostKeyFile).string(), " cannot be opened now"));
  if (!key_pem.ok()) return Damaged(state_dir / kHostKeyFile, Message(key_pem.status()));
  *key_protection = platform::WhatProtects(sealed);
  credentials.key_pem = *std::move(key_pem);
  CORDON_ASSIGN_OR_RETURN(credentials.certificate_pem, ReadPart(certificate_path, kMaxKeyBytes));
  const absl::StatusOr<KeyPtr> key = PrivateKeyFromPem(credentials.key_pem);
  if (!key.ok()) return Damaged(state_dir / kHostKeyFile, Message(key.status()));
  if (const absl::Status match = CheckKeyMatches(credentials.certificate_pem, **key); !match.ok()) {
    return Damaged(certificate_path, Message(match));
  }
  const absl::StatusOr<CertificateInfo> info = ReadCertificate(credentials.certificate_pem);
  if (!info.ok()) return Damaged(certificate_path, Message(info.status()));
  credentials.not_before_unix_nanos = info->not_before_unix_nanos;
  credentials.not_after_unix_nanos = info->not_after_unix_nanos;
  return credentials;
}

absl::Status FillFromEnrollment(const std::filesystem::path& path, const v1::EnrollmentFile& enrollment,
                                HostState* state) {
  state->identity.fleet_id = enrollment.fleet_id();
  state->identity.site = enrollment.site();
  state->identity.labels.assign(enrollment.labels().begin(), enrollment.labels().end());
  state->enrollment_ca_pem = enrollment.ca_pem();
  for (const std::string& text : enrollment.controllers()) {
    const absl::StatusOr<HostPort> controller = ParseHostPort(text);
    if (!controller.ok()) return Damaged(path, Message(controller.status()));
    state->controllers.push_back(*controller);
  }
  if (state->controllers.empty()) return Damaged(path, "it names no controller");
  return absl::OkStatus();
}

// The certificate must be of the CA that the enrolment file pinned, or of one that the operators put beside
// or in the place of it (AUT-1); the old one's stays good enough until it is renewed. At a second change it
// may be of one between, of which nothing is kept here: then the controller judges it. Its time is not
// judged: an agent whose certificate has lapsed still isolates, and says so.
absl::Status CheckIssuer(const std::filesystem::path& path, const HostState& state) {
  absl::Status issued;
  for (const std::string& authorities : {state.enrollment_ca_pem, state.ca_pem}) {
    issued = CheckCertificate(state.credentials.certificate_pem, authorities,
                              state.credentials.not_before_unix_nanos);
    if (issued.ok()) return issued;
  }
  if (state.ca_pem != state.enrollment_ca_pem) {
    spdlog::warn(
        "{}: of neither the CA of the enrolment nor one in force ({}); it is used until it is renewed",
        path.string(), Message(issued));
    return absl::OkStatus();
  }
  return Damaged(path, Message(issued));
}

// With a damaged trust bundle the enrolment's CA counts, so that the host can still tell of it.
absl::Status FillTrust(const std::filesystem::path& state_dir, HostState* state) {
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, ReadPart(state_dir / kTrustFile, kMaxTrustBytes));
  if (!state->trust.ParseFromString(bytes)) return Damaged(state_dir / kTrustFile, "it cannot be parsed");
  const TrustChain chain(state_dir, state->trust);
  state->ca_pem = chain.Authorities(state->enrollment_ca_pem);
  return chain.InForce().ok() ? CheckIssuer(state_dir / kHostCertificateFile, *state) : absl::OkStatus();
}

}  // namespace

bool IsEnrolled(const std::filesystem::path& state_dir) {
  std::error_code error;
  for (const char* name : {kHostKeyFile, kHostCertificateFile, kEnrollmentFile}) {
    if (std::filesystem::exists(state_dir / name, error)) return true;
  }
  return false;
}

absl::StatusOr<HostState> LoadHostState(const std::filesystem::path& state_dir) {
  CORDON_RETURN_IF_ERROR(FinishReplacingFiles(state_dir));
  if (!IsEnrolled(state_dir)) {
    return absl::FailedPreconditionError(StrCat("this host is not enrolled (nothing in ", state_dir.string(),
                                                "); run: cordon-agent enroll FILE"));
  }
  HostState state;
  CORDON_ASSIGN_OR_RETURN(state.credentials, LoadCredentials(state_dir, &state.key_protection));
  CORDON_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(state.credentials.certificate_pem));
  if (info.identity.kind != IdentityKind::kHost) {
    return Damaged(state_dir / kHostCertificateFile, "it is not a host's certificate");
  }
  state.identity.host_id = info.identity.id;
  state.identity.organisation = info.identity.organisation;

  const std::filesystem::path enrollment_path = state_dir / kEnrollmentFile;
  CORDON_ASSIGN_OR_RETURN(const std::string enrollment_bytes, ReadPart(enrollment_path, kMaxKeyBytes));
  v1::EnrollmentFile enrollment;
  if (!enrollment.ParseFromString(enrollment_bytes)) return Damaged(enrollment_path, "it cannot be parsed");
  CORDON_RETURN_IF_ERROR(FillFromEnrollment(enrollment_path, enrollment, &state));
  CORDON_RETURN_IF_ERROR(FillTrust(state_dir, &state));
  return state;
}

absl::Status StoreHostCredentials(const std::filesystem::path& state_dir,
                                  const HostCredentials& credentials) {
  CORDON_ASSIGN_OR_RETURN(const std::string key, platform::SealKey(credentials.key_pem));
  return ReplaceFilesTogether(state_dir,
                              {{kHostKeyFile, key}, {kHostCertificateFile, credentials.certificate_pem}});
}

}  // namespace cordon::agent
