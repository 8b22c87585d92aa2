#include "agent/link/renewal.h"

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"

namespace cordon::agent {

int64_t RenewalDue(const HostCredentials& credentials) {
  return credentials.not_before_unix_nanos +
         (credentials.not_after_unix_nanos - credentials.not_before_unix_nanos) / 2;
}

int64_t RenewalRetryNanos(const HostCredentials& credentials, uint32_t failures) {
  constexpr int64_t kShare = 64;
  constexpr uint32_t kMostDoublings = 3;  // at most 1/8 of the life between two tries
  const int64_t life = credentials.not_after_unix_nanos - credentials.not_before_unix_nanos;
  return std::max(kNanosPerSecond, life / kShare * (int64_t{1} << std::min(failures, kMostDoublings)));
}

absl::StatusOr<HostCredentials> CheckRenewedCertificate(const HostState& state,
                                                        const std::string& certificate_pem,
                                                        const EVP_PKEY& key, int64_t now_unix_nanos) {
  CORDON_RETURN_IF_ERROR(CheckCertificate(certificate_pem, state.ca_pem, now_unix_nanos));
  CORDON_RETURN_IF_ERROR(CheckKeyMatches(certificate_pem, key));
  CORDON_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(certificate_pem));
  const Identity own{IdentityKind::kHost, state.identity.organisation, state.identity.host_id};
  if (info.identity != own) {
    return absl::PermissionDeniedError(
        StrCat("the renewed certificate names ", FormatIdentity(info.identity)));
  }
  HostCredentials credentials;
  CORDON_ASSIGN_OR_RETURN(credentials.key_pem, PrivateKeyToPem(key));
  credentials.certificate_pem = certificate_pem;
  credentials.not_before_unix_nanos = info.not_before_unix_nanos;
  credentials.not_after_unix_nanos = info.not_after_unix_nanos;
  return credentials;
}

}  // namespace cordon::agent
