#pragma once

// The fleet's certificate authority and what it gives out (AUT-1, AUT-2). Files of its folder, all 0600 in
// 0700:
//   fleet.toml                        fleet_id, organisation, names of the controller
//   ca.key ca.crt                     P-256; trust in the whole fleet hangs on this key
//   ca-next.* ca-old.crt              while the CA changes, see ca_change.h
//   controller.key controller.crt     what the server shows
//   audit.key                         Ed25519; signs the checkpoints of the audit log

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"

namespace cordon::controller {

inline constexpr int64_t kDayNanos = 24 * 3600 * kNanosPerSecond;
inline constexpr int64_t kHostCertificateNanos = 30 * kDayNanos;  // agents renew at half of it
inline constexpr int64_t kOperatorCertificateNanos = 365 * kDayNanos;
inline constexpr int64_t kControllerCertificateNanos = 730 * kDayNanos;
inline constexpr int64_t kCaCertificateNanos = 20 * 365 * kDayNanos;
// Hosts whose clock is behind by up to this can use a new certificate at once; by a tenth of its life where
// that is less, so that half of the life is still ahead.
inline constexpr int64_t kBackdateNanos = 3600 * kNanosPerSecond;

struct IssuedCertificate {
  std::string pem;
  std::string serial_hex;  // for the store's record
  int64_t not_before_unix_nanos = 0;
  int64_t not_after_unix_nanos = 0;
};

struct IssuedKeyPair {
  IssuedCertificate certificate;
  std::string key_pem;  // PKCS#8; secret
};

struct PkiOptions {
  std::string fleet_id;            // UUID
  std::string organisation;        // a host name: "<fleet id>.cordon"
  std::vector<std::string> names;  // DNS names and IP addresses that hosts reach the controller by; 1 to 16
};

// Cannot be changed once made; thread-safe. Never blocks on a disk after Load.
class Pki {
 public:
  // Makes keys and certificates in `folder`, which is made too and must not exist. INVALID_ARGUMENT names the
  // bad name.
  static absl::Status Create(const std::filesystem::path& folder, const PkiOptions& options,
                             const Clock& clock);

  // FAILED_PRECONDITION: a key that others can read, or that does not belong to its certificate; NOT_FOUND a
  // missing file; INVALID_ARGUMENT a damaged one. Gives the controller a new certificate when less than half
  // of the time of the present one is left. `clock` outlives the object. Hosts' certificates are good for
  // `host_certificate_nanos`.
  static absl::StatusOr<std::unique_ptr<Pki>> Load(const std::filesystem::path& folder, const Clock& clock,
                                                   int64_t host_certificate_nanos = kHostCertificateNanos);

  const std::string& FleetId() const { return options_.fleet_id; }
  const std::string& Organisation() const { return options_.organisation; }
  const std::vector<std::string>& Names() const { return options_.names; }
  // The CA that everything is issued by; and all whose certificates are believed, that one first: more than
  // one while the CA changes.
  const std::string& CaPem() const { return ca_pem_; }
  const std::string& BelievedCaPem() const { return believed_ca_pem_; }

  // What the server shows to its callers.
  const std::string& ControllerCertificatePem() const { return controller_pem_; }
  const std::string& ControllerKeyPem() const { return controller_key_pem_; }

  // Signs the checkpoints of the audit log; the trust bundle names its public half, so that agents witness
  // the log.
  EVP_PKEY& AuditLogKey() const { return *audit_key_; }
  const std::string& AuditLogPublicKey() const { return audit_public_key_; }  // 32 raw bytes

  // Makes another key for the audit log; Load reads it.
  static absl::Status RenewAuditKey(const std::filesystem::path& folder);

  // A host's certificate for the key in its request. Only the key is taken from
  // the request (AUT-2). INVALID_ARGUMENT: a bad request.
  absl::StatusOr<IssuedCertificate> IssueHost(std::string_view csr_der, std::string_view host_id) const;

  // The key and certificate that an enrolment file carries: good for Enroll alone, until the enrolment ends
  // (AUT-1).
  absl::StatusOr<IssuedKeyPair> IssueBootstrap(std::string_view enrollment_id,
                                               int64_t not_after_unix_nanos) const;

  // An operator's certificate for a key at hand, or for the one in a request, of which only the key is taken;
  // that one ends a year after the request was made. INVALID_ARGUMENT: a bad request, or that year is over.
  absl::StatusOr<IssuedCertificate> IssueOperator(std::string_view operator_id, EVP_PKEY& key) const;
  absl::StatusOr<IssuedCertificate> IssueOperator(std::string_view operator_id, std::string_view csr_der,
                                                  int64_t made_unix_nanos) const;

 private:
  Pki(PkiOptions options, const Clock& clock, int64_t host_certificate_nanos)
      : options_(std::move(options)), clock_(clock), host_certificate_nanos_(host_certificate_nanos) {}
  // Reads what the server shows, or makes it anew.
  absl::Status LoadOwn(const std::filesystem::path& folder);
  CertificateRequest RequestOfOperator(std::string_view operator_id, int64_t now, int64_t length) const;
  // Reads the audit log's key, or makes one for a fleet that was made before there was any.
  absl::Status LoadAuditKey(const std::filesystem::path& folder);

  PkiOptions options_;
  const Clock& clock_;
  int64_t host_certificate_nanos_;
  KeyPtr ca_key_;
  std::string ca_pem_;
  std::string believed_ca_pem_;
  std::string controller_pem_;
  std::string controller_key_pem_;
  KeyPtr audit_key_;
  std::string audit_public_key_;
};

}  // namespace cordon::controller
