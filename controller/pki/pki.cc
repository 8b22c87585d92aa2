#include "controller/pki/pki.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x509.h"
#include "controller/pki/ca_change.h"
#include "controller/pki/fleet_file.h"
#include "platform/api/files.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxPkiFileBytes = 64 * 1024;

using std::filesystem::path;

absl::StatusOr<IssuedCertificate> WithInfo(absl::StatusOr<std::string> pem) {
  if (!pem.ok()) return pem.status();
  CORDON_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(*pem));
  return IssuedCertificate{*std::move(pem), info.serial_hex, info.not_before_unix_nanos,
                           info.not_after_unix_nanos};
}

CertificateRequest RequestFor(const Identity& identity, int64_t now, int64_t length) {
  CertificateRequest request;
  request.identity = identity;
  request.not_before_unix_nanos = now - std::min(kBackdateNanos, length / 10);
  request.not_after_unix_nanos = now + length;
  return request;
}

absl::StatusOr<IssuedKeyPair> IssuePair(EVP_PKEY& ca_key, std::string_view ca_pem,
                                        const CertificateRequest& request) {
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewTlsKey());
  IssuedKeyPair pair;
  CORDON_ASSIGN_OR_RETURN(pair.certificate, WithInfo(IssueForKey(ca_key, ca_pem, *key, request)));
  CORDON_ASSIGN_OR_RETURN(pair.key_pem, PrivateKeyToPem(*key));
  return pair;
}

// The controller's own: a server certificate for every name that hosts reach it by.
absl::StatusOr<IssuedKeyPair> IssueOwn(EVP_PKEY& ca_key, std::string_view ca_pem, const PkiOptions& options,
                                       int64_t now) {
  CertificateRequest request = RequestFor({IdentityKind::kController, options.organisation, NewUuid()}, now,
                                          kControllerCertificateNanos);
  for (const std::string& name : options.names) {
    boost::system::error_code error;
    boost::asio::ip::make_address(name, error);
    (error ? request.dns_names : request.ip_addresses).push_back(name);
  }
  return IssuePair(ca_key, ca_pem, request);
}

absl::Status WriteSecret(const path& file, std::string_view text) {
  return platform::WriteFileDurably(file, text, platform::FileAccess::kOwnerOnly);
}

absl::Status WriteOwn(const path& folder, const IssuedKeyPair& pair) {
  // Key and certificate in one file each: a crash in between leaves a pair that does not match, which Load
  // mends.
  CORDON_RETURN_IF_ERROR(WriteSecret(folder / "controller.key", pair.key_pem));
  return WriteSecret(folder / "controller.crt", pair.certificate.pem);
}

absl::Status WriteAuditKey(const path& folder) {
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewSigningKey());
  CORDON_ASSIGN_OR_RETURN(const std::string pem, PrivateKeyToPem(*key));
  return WriteSecret(folder / "audit.key", pem);
}

absl::StatusOr<std::string> ReadPrivate(const path& file) {
  std::error_code error;
  const std::filesystem::perms mode = std::filesystem::status(file, error).permissions();
  using std::filesystem::perms;
  if (!error && (mode & (perms::group_all | perms::others_all)) != perms::none) {
    return absl::FailedPreconditionError(
        StrCat(file.string(), " can be read by others than its owner; if nobody has, run: chmod 600 ",
               file.string()));
  }
  return platform::ReadFileBounded(file, kMaxPkiFileBytes);
}

absl::StatusOr<KeyPtr> ReadKey(const path& file) {
  CORDON_ASSIGN_OR_RETURN(const std::string pem, ReadPrivate(file));
  absl::StatusOr<KeyPtr> key = PrivateKeyFromPem(pem);
  if (!key.ok()) return Annotate(key.status(), file.string());
  return key;
}

}  // namespace

absl::Status Pki::Create(const path& folder, const PkiOptions& options, const Clock& clock) {
  if (std::filesystem::exists(folder))
    return absl::AlreadyExistsError(StrCat(folder.string(), " is there already"));
  CORDON_RETURN_IF_ERROR(CheckPkiOptions(options));
  const int64_t now = clock.WallNanos();
  CORDON_ASSIGN_OR_RETURN(const KeyPtr ca_key, NewTlsKey());
  CORDON_ASSIGN_OR_RETURN(
      const std::string ca_pem,
      MakeCaCertificate(*ca_key, options.organisation, now - kBackdateNanos, now + kCaCertificateNanos));
  CORDON_ASSIGN_OR_RETURN(const IssuedKeyPair own, IssueOwn(*ca_key, ca_pem, options, now));
  CORDON_ASSIGN_OR_RETURN(const std::string ca_key_pem, PrivateKeyToPem(*ca_key));
  CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(folder));
  CORDON_RETURN_IF_ERROR(WriteSecret(folder / "ca.key", ca_key_pem));
  CORDON_RETURN_IF_ERROR(WriteSecret(folder / "ca.crt", ca_pem));
  CORDON_RETURN_IF_ERROR(WriteOwn(folder, own));
  CORDON_RETURN_IF_ERROR(WriteAuditKey(folder));
  return WriteSecret(folder / "fleet.toml", FormatFleetFile(options));
}

absl::StatusOr<std::unique_ptr<Pki>> Pki::Load(const path& folder, const Clock& clock,
                                               int64_t host_certificate_nanos) {
  CORDON_ASSIGN_OR_RETURN(const std::string text, ReadPrivate(folder / "fleet.toml"));
  absl::StatusOr<PkiOptions> options = ParseFleetFile(text);
  if (!options.ok()) return Annotate(options.status(), (folder / "fleet.toml").string());
  std::unique_ptr<Pki> pki(new Pki(*std::move(options), clock, host_certificate_nanos));
  CORDON_RETURN_IF_ERROR(FinishChange(folder));
  CORDON_ASSIGN_OR_RETURN(pki->ca_key_, ReadKey(folder / "ca.key"));
  CORDON_ASSIGN_OR_RETURN(pki->ca_pem_, ReadPrivate(folder / "ca.crt"));
  if (!CheckKeyMatches(pki->ca_pem_, *pki->ca_key_).ok()) {
    return absl::FailedPreconditionError(StrCat((folder / "ca.key").string(),
                                                " and ca.crt do not belong together or are "
                                                "damaged; put back both from a backup"));
  }
  CORDON_ASSIGN_OR_RETURN(const AuthoritiesOnDisk authorities, ReadAuthorities(folder));
  pki->believed_ca_pem_ = StrCat(pki->ca_pem_, authorities.old_pem);
  CORDON_RETURN_IF_ERROR(pki->LoadOwn(folder));
  CORDON_RETURN_IF_ERROR(pki->LoadAuditKey(folder));
  return pki;
}

absl::Status Pki::RenewAuditKey(const path& folder) {
  return WriteAuditKey(folder);
}

absl::Status Pki::LoadAuditKey(const path& folder) {
  const path file = folder / "audit.key";
  std::error_code error;
  const bool missing = !std::filesystem::exists(file, error) && !error;
  if (missing) CORDON_RETURN_IF_ERROR(WriteAuditKey(folder));
  CORDON_ASSIGN_OR_RETURN(audit_key_, ReadKey(file));
  absl::StatusOr<std::string> raw = RawPublicKey(*audit_key_);
  if (!raw.ok()) return Annotate(raw.status(), file.string());
  audit_public_key_ = *std::move(raw);
  return absl::OkStatus();
}

absl::Status Pki::LoadOwn(const path& folder) {
  const int64_t now = clock_.WallNanos();
  CORDON_ASSIGN_OR_RETURN(controller_key_pem_, ReadPrivate(folder / "controller.key"));
  CORDON_ASSIGN_OR_RETURN(controller_pem_, ReadPrivate(folder / "controller.crt"));
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, ReadKey(folder / "controller.key"));
  const absl::StatusOr<CertificateInfo> info = ReadCertificate(controller_pem_);
  if (!info.ok()) return Annotate(info.status(), (folder / "controller.crt").string());
  const bool fresh = info->not_after_unix_nanos - now >= kControllerCertificateNanos / 2;
  if (fresh && CheckKeyMatches(controller_pem_, *key).ok()) {
    const absl::Status good = CheckCertificate(controller_pem_, ca_pem_, now);
    // One of the CA before is replaced; a stranger's says that the folder is not what it should be.
    if (good.ok() || !CheckCertificate(controller_pem_, believed_ca_pem_, now).ok()) return good;
  }
  CORDON_ASSIGN_OR_RETURN(IssuedKeyPair own, IssueOwn(*ca_key_, ca_pem_, options_, now));
  CORDON_RETURN_IF_ERROR(WriteOwn(folder, own));
  controller_pem_ = std::move(own.certificate.pem);
  controller_key_pem_ = std::move(own.key_pem);
  return absl::OkStatus();
}

absl::StatusOr<IssuedCertificate> Pki::IssueHost(std::string_view csr_der, std::string_view host_id) const {
  return WithInfo(IssueFromCsr(*ca_key_, ca_pem_, csr_der,
                               RequestFor({IdentityKind::kHost, options_.organisation, std::string(host_id)},
                                          clock_.WallNanos(), host_certificate_nanos_)));
}

absl::StatusOr<IssuedKeyPair> Pki::IssueBootstrap(std::string_view enrollment_id,
                                                  int64_t not_after_unix_nanos) const {
  const int64_t now = clock_.WallNanos();
  if (not_after_unix_nanos <= now)
    return absl::InvalidArgumentError("the enrolment would end before it begins");
  return IssuePair(*ca_key_, ca_pem_,
                   RequestFor({IdentityKind::kBootstrap, options_.organisation, std::string(enrollment_id)},
                              now, not_after_unix_nanos - now));
}

absl::StatusOr<IssuedCertificate> Pki::IssueOperator(std::string_view operator_id, EVP_PKEY& key) const {
  return WithInfo(IssueForKey(*ca_key_, ca_pem_, key,
                              RequestOfOperator(operator_id, clock_.WallNanos(), kOperatorCertificateNanos)));
}

absl::StatusOr<IssuedCertificate> Pki::IssueOperator(std::string_view operator_id, std::string_view csr_der,
                                                     int64_t made_unix_nanos) const {
  const int64_t now = clock_.WallNanos();
  // A clock that is ahead gains nothing.
  const int64_t left = std::min(made_unix_nanos, now) - now + kOperatorCertificateNanos;
  if (left <= 0)
    return absl::InvalidArgumentError("the certificate would have ended: the request is too old");
  return WithInfo(IssueFromCsr(*ca_key_, ca_pem_, csr_der, RequestOfOperator(operator_id, now, left)));
}

CertificateRequest Pki::RequestOfOperator(std::string_view operator_id, int64_t now, int64_t length) const {
  return RequestFor({IdentityKind::kOperator, options_.organisation, std::string(operator_id)}, now, length);
}

}  // namespace cordon::controller
