#include "controller/pki/ca_change.h"

#include <string_view>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "controller/pki/pki.h"
#include "platform/api/files.h"

namespace cordon::controller {
namespace {

using std::filesystem::path;

constexpr size_t kMaxFileBytes = 64 * 1024;
constexpr const char* kKey = "ca.key";
constexpr const char* kCertificate = "ca.crt";
constexpr const char* kNextKey = "ca-next.key";
constexpr const char* kNextCertificate = "ca-next.crt";
constexpr const char* kOldCertificate = "ca-old.crt";

absl::StatusOr<std::string> ReadIfThere(const path& file) {
  absl::StatusOr<std::string> text = platform::ReadFileBounded(file, kMaxFileBytes);
  if (absl::IsNotFound(text.status())) return std::string();
  return text;
}

absl::Status Write(const path& file, std::string_view text) {
  return platform::WriteFileDurably(file, text, platform::FileAccess::kOwnerOnly);
}

absl::Status Remove(const path& file) {
  std::error_code error;
  std::filesystem::remove(file, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot remove ", file.string(), ": ", error.message()));
}

absl::StatusOr<bool> BelongTogether(const std::string& key_pem, const std::string& certificate_pem) {
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, PrivateKeyFromPem(key_pem));
  return CheckKeyMatches(certificate_pem, *key).ok();
}

}  // namespace

absl::StatusOr<AuthoritiesOnDisk> ReadAuthorities(const path& folder) {
  AuthoritiesOnDisk authorities;
  CORDON_ASSIGN_OR_RETURN(authorities.in_use_pem,
                          platform::ReadFileBounded(folder / kCertificate, kMaxFileBytes));
  CORDON_ASSIGN_OR_RETURN(authorities.next_pem, ReadIfThere(folder / kNextCertificate));
  CORDON_ASSIGN_OR_RETURN(authorities.old_pem, ReadIfThere(folder / kOldCertificate));
  return authorities;
}

absl::Status PrepareAuthority(const path& folder, const std::string& organisation, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(const AuthoritiesOnDisk authorities, ReadAuthorities(folder));
  if (!authorities.next_pem.empty()) {
    return absl::AlreadyExistsError(
        StrCat((folder / kNextCertificate).string(), " is prepared already; go on with it, or remove it"));
  }
  if (!authorities.old_pem.empty()) {
    return absl::FailedPreconditionError(
        "the last change of the CA has not ended: cordon-controller ca retire comes first");
  }
  const int64_t now = clock.WallNanos();
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewTlsKey());
  CORDON_ASSIGN_OR_RETURN(const std::string key_pem, PrivateKeyToPem(*key));
  CORDON_ASSIGN_OR_RETURN(
      const std::string certificate,
      MakeCaCertificate(*key, organisation, now - kBackdateNanos, now + kCaCertificateNanos));
  // The certificate last: it is what says that one is prepared.
  CORDON_RETURN_IF_ERROR(Write(folder / kNextKey, key_pem));
  return Write(folder / kNextCertificate, certificate);
}

// The new key in the place of the old one is the moment of the change: before it all is as it was, after it
// FinishChange knows what is to be done.
absl::Status UseAuthority(const path& folder) {
  CORDON_ASSIGN_OR_RETURN(const AuthoritiesOnDisk authorities, ReadAuthorities(folder));
  if (authorities.next_pem.empty()) {
    return absl::FailedPreconditionError("no CA is prepared: cordon-controller ca prepare comes first");
  }
  CORDON_ASSIGN_OR_RETURN(const std::string key, platform::ReadFileBounded(folder / kNextKey, kMaxFileBytes));
  CORDON_ASSIGN_OR_RETURN(const bool whole, BelongTogether(key, authorities.next_pem));
  if (!whole) {
    return absl::FailedPreconditionError(StrCat((folder / kNextKey).string(), " and ", kNextCertificate,
                                                " do not belong together; remove both and prepare anew"));
  }
  CORDON_RETURN_IF_ERROR(Write(folder / kOldCertificate, authorities.in_use_pem));
  CORDON_RETURN_IF_ERROR(Write(folder / kKey, key));
  return FinishChange(folder);
}

absl::Status FinishChange(const path& folder) {
  CORDON_ASSIGN_OR_RETURN(const AuthoritiesOnDisk authorities, ReadAuthorities(folder));
  if (authorities.next_pem.empty()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const std::string key, platform::ReadFileBounded(folder / kKey, kMaxFileBytes));
  CORDON_ASSIGN_OR_RETURN(const bool changed, BelongTogether(key, authorities.next_pem));
  if (!changed) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(Write(folder / kCertificate, authorities.next_pem));
  CORDON_RETURN_IF_ERROR(Remove(folder / kNextKey));
  return Remove(folder / kNextCertificate);
}

absl::Status RetireAuthority(const path& folder) {
  return Remove(folder / kOldCertificate);
}

}  // namespace cordon::controller
