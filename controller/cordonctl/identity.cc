#include "controller/cordonctl/identity.h"

#include <system_error>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/x509.h"
#include "common/wire/operator_identity.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kSoonNanos = 14LL * 24 * 3600 * kNanosPerSecond;

bool OthersMayRead(const std::filesystem::path& path) {
  using std::filesystem::perms;
  std::error_code error;
  const perms mode = std::filesystem::status(path, error).permissions();
  return !error && (mode & (perms::group_all | perms::others_all)) != perms::none;
}

absl::Status Unusable(const std::filesystem::path& path, std::string_view why) {
  return absl::FailedPreconditionError(StrCat("identity ", path.string(), ": ", why));
}

}  // namespace

absl::StatusOr<std::filesystem::path> FindIdentity(const std::string& flag,
                                                   const std::function<const char*(const char*)>& getenv) {
  if (!flag.empty()) return flag;
  if (const char* const set = getenv("CORDON_IDENTITY"); set != nullptr && *set != '\0') return set;
  if (const char* const home = getenv("HOME"); home != nullptr && *home != '\0') {
    return std::filesystem::path(home) / ".config" / "cordon" / "identity";
  }
  return absl::InvalidArgumentError("no identity: give --identity FILE or set CORDON_IDENTITY");
}

absl::StatusOr<v1::OperatorIdentity> ReadIdentity(const std::filesystem::path& path) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(path, kMaxOperatorIdentityBytes);
  if (!text.ok()) {
    return Unusable(path, StrCat(Message(text.status()),
                                 "; give --identity FILE with the file that 'cordon-controller init' wrote"));
  }
  absl::StatusOr<v1::OperatorIdentity> identity = ReadOperatorIdentity(*text);
  if (!identity.ok()) return Unusable(path, Message(identity.status()));
  return identity;
}

absl::Status WriteIdentity(const std::filesystem::path& path, const v1::OperatorIdentity& identity) {
  return platform::WriteFileDurably(path, WriteOperatorIdentity(identity), platform::FileAccess::kOwnerOnly);
}

absl::StatusOr<LoadedIdentity> LoadIdentity(const std::filesystem::path& path, int64_t now_unix_nanos) {
  CORDON_ASSIGN_OR_RETURN(v1::OperatorIdentity identity, ReadIdentity(path));
  const absl::StatusOr<CertificateInfo> certificate = ReadCertificate(identity.certificate_pem());
  if (!certificate.ok()) return Unusable(path, Message(certificate.status()));
  const int64_t left = certificate->not_after_unix_nanos - now_unix_nanos;
  if (left <= 0) {
    return Unusable(path, StrCat("its certificate ended at ", FormatTime(certificate->not_after_unix_nanos),
                                 "; have a new one issued (or set this machine's clock right)"));
  }
  LoadedIdentity loaded;
  if (left < kSoonNanos) {
    loaded.warnings.push_back(
        StrCat("warning: the certificate in ", path.string(), " ends in ", FormatDuration(left)));
  }
  if (OthersMayRead(path)) {
    loaded.warnings.push_back(
        StrCat("warning: others may read ", path.string(), ", which holds private keys: chmod 600 it"));
  }
  loaded.identity = std::move(identity);
  return loaded;
}

}  // namespace cordon::ctl
