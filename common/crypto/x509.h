#pragma once

// Certificates of the fleet: one CA, and leaves that name one identity each in a URI SAN
// (spiffe://<organisation>/<kind>/<id>, design.md §8).

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/crypto/key.h"

namespace cordon {

enum class IdentityKind { kHost, kOperator, kBootstrap, kController };

struct Identity {
  IdentityKind kind = IdentityKind::kHost;
  std::string organisation;  // a host name, e.g. the fleet's id with ".cordon" behind it
  std::string id;            // UUID
  friend bool operator==(const Identity&, const Identity&) = default;
};

std::string FormatIdentity(const Identity& identity);
absl::StatusOr<Identity> ParseIdentity(std::string_view uri);

struct CertificateRequest {
  Identity identity;
  int64_t not_before_unix_nanos = 0;
  int64_t not_after_unix_nanos = 0;
  std::vector<std::string> dns_names;     // controllers
  std::vector<std::string> ip_addresses;  // controllers
};

struct CertificateInfo {
  Identity identity;
  std::string serial_hex;
  int64_t not_before_unix_nanos = 0;
  int64_t not_after_unix_nanos = 0;
};

// A self-signed CA certificate (P-256, path length 0) for `key`.
absl::StatusOr<std::string> MakeCaCertificate(EVP_PKEY& key, std::string_view organisation,
                                              int64_t not_before_unix_nanos, int64_t not_after_unix_nanos);

// A PKCS#10 request in DER that proves possession of `key`. Names no subject: the CA decides.
absl::StatusOr<std::string> MakeCsrDer(EVP_PKEY& key);

// SHA-256 of the public key (SubjectPublicKeyInfo) of `csr_der`, whose self-signature is checked: who asks
// has the private key. INVALID_ARGUMENT for a bad request.
absl::StatusOr<std::string> KeySha256OfCsr(std::string_view csr_der);

// A leaf for the public key of `csr_der`, whose self-signature is checked. Only the key is taken from the
// request (AUT-2). INVALID_ARGUMENT for a bad request, or a key that is not P-256; at most 16 KiB.
absl::StatusOr<std::string> IssueFromCsr(EVP_PKEY& ca_key, std::string_view ca_pem, std::string_view csr_der,
                                         const CertificateRequest& request);

// The same for a key at hand.
absl::StatusOr<std::string> IssueForKey(EVP_PKEY& ca_key, std::string_view ca_pem, EVP_PKEY& key,
                                        const CertificateRequest& request);

// Identity and times of the first certificate in `pem`. INVALID_ARGUMENT unless it has exactly one URI SAN of
// ours.
absl::StatusOr<CertificateInfo> ReadCertificate(std::string_view pem);

inline constexpr size_t kMaxAuthorities = 4;  // during a change of the CA there is more than one
inline constexpr size_t kMaxAuthorityBytes = 16 * 1024;

// OK when `pem`'s first certificate is signed by one of the CAs in `ca_pem` and within its time at `now`.
absl::Status CheckCertificate(std::string_view pem, std::string_view ca_pem, int64_t now_unix_nanos);

// OK when `pem` is exactly one certificate, of a CA, and of at most kMaxAuthorityBytes.
absl::Status CheckAuthority(std::string_view pem);

// OK when `pem`'s first certificate is for `key`.
absl::Status CheckKeyMatches(std::string_view pem, const EVP_PKEY& key);

}  // namespace cordon
