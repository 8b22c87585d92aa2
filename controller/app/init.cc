#include "controller/app/init.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/wire/operator_identity.h"
#include "common/wire/trust_bundle.h"
#include "controller/keys/operator_keys.h"
#include "controller/pki/pki.h"
#include "controller/store/sqlite_store.h"
#include "platform/api/files.h"

namespace cordon::controller {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxNames = 8;              // as many as an enrolment file may carry
constexpr size_t kMaxOperatorName = 100;  // as much as a trust bundle takes

// Removes what was half made, unless told to keep it.
class Draft {
 public:
  explicit Draft(fs::path path) : path_(std::move(path)) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  void Keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

absl::Status CheckOptions(const InitOptions& options) {
  if (options.names.empty() || options.names.size() > kMaxNames) {
    return absl::InvalidArgumentError(StrCat("--name: 1 to ", kMaxNames, " names are needed"));
  }
  if (options.port == 0) return absl::InvalidArgumentError("--port: 0 is no port");
  if (options.operator_name.empty() || !IsPlainText(options.operator_name, kMaxOperatorName)) {
    return absl::InvalidArgumentError(
        StrCat("--operator: not plain text of 1 to ", kMaxOperatorName, " bytes"));
  }
  std::error_code error;
  if (fs::exists(options.data, error) && !fs::is_empty(options.data, error)) {
    return absl::AlreadyExistsError(
        StrCat(options.data.string(), " is in use; a fleet is made once, in a folder of its own"));
  }
  if (fs::exists(options.operator_out, error)) {
    return absl::AlreadyExistsError(
        StrCat(options.operator_out.string(), " is there already; name another file with --operator-out"));
  }
  return absl::OkStatus();
}

struct FirstOperator {
  std::string id;
  OperatorKeys keys;
  v1::SignedTrustBundle bundle;
};

// The first operator may do everything alone; more operators and higher thresholds come with later bundles.
absl::StatusOr<FirstOperator> MakeFirstOperator(const Pki& pki, const std::string& name) {
  FirstOperator first{.id = NewUuid()};
  CORDON_ASSIGN_OR_RETURN(first.keys, NewOperatorKeys());
  v1::TrustBundle bundle;
  bundle.set_fleet_id(pki.FleetId());
  bundle.set_version(1);
  bundle.set_audit_log_public_key(pki.AuditLogPublicKey());
  v1::TrustedOperator& trusted = *bundle.add_operators();
  CORDON_ASSIGN_OR_RETURN(trusted, Trusted(first.id, name, first.keys));
  for (const auto role :
       {v1::TrustedOperator::ROLE_ISOLATE, v1::TrustedOperator::ROLE_SCAN, v1::TrustedOperator::ROLE_POLICY,
        v1::TrustedOperator::ROLE_TRUST, v1::TrustedOperator::ROLE_UNLOCK}) {
    trusted.add_roles(role);
  }
  first.bundle.set_bundle(bundle.SerializeAsString());
  // A fleet whose first bundle nobody takes could not be commanded, nor its bundle ever be changed.
  CORDON_RETURN_IF_ERROR(ParseTrustBundle(first.bundle).status());
  v1::Signature& signature = *first.bundle.add_signatures();
  signature.set_operator_id(first.id);
  CORDON_ASSIGN_OR_RETURN(*signature.mutable_ed25519(),
                          Sign(kTrustDomain, first.bundle.bundle(), *first.keys.signing));
  return first;
}

absl::StatusOr<std::string> IdentityText(const Pki& pki, const FirstOperator& first,
                                         const InitOptions& options,
                                         const std::vector<std::string>& controllers) {
  CORDON_ASSIGN_OR_RETURN(const IssuedCertificate issued, pki.IssueOperator(first.id, *first.keys.tls));
  v1::OperatorIdentity identity;
  identity.set_format(1);
  identity.set_operator_id(first.id);
  identity.set_name(options.operator_name);
  identity.set_fleet_id(pki.FleetId());
  identity.mutable_controllers()->Assign(controllers.begin(), controllers.end());
  identity.set_ca_pem(pki.CaPem());
  identity.set_certificate_pem(issued.pem);
  CORDON_RETURN_IF_ERROR(PutKeys(first.keys, options.passphrase, &identity));
  identity.set_trust_bundle_sha256(Sha256(first.bundle.bundle()));
  identity.set_trust_version(1);
  return WriteOperatorIdentity(identity);
}

}  // namespace

fs::path PkiFolder(const fs::path& data) {
  return data / "pki";
}
fs::path StoreFile(const fs::path& data) {
  return data / "store.db";
}

std::string ControllerAddress(const std::string& name, uint16_t port) {
  return name.find(':') == std::string::npos ? StrCat(name, ":", port) : StrCat("[", name, "]:", port);
}

absl::StatusOr<InitResult> InitFleet(const InitOptions& options, const Clock& clock) {
  CORDON_RETURN_IF_ERROR(CheckOptions(options));
  InitResult result{.fleet_id = NewUuid()};
  for (const std::string& name : options.names) {
    result.controllers.push_back(ControllerAddress(name, options.port));
  }
  const fs::path data = fs::absolute(options.data).lexically_normal();
  const fs::path beside = StrCat(data.string(), ".new-", result.fleet_id);
  CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(beside));
  Draft draft(beside);

  const PkiOptions pki_options{result.fleet_id, StrCat(result.fleet_id, ".cordon"), options.names};
  CORDON_RETURN_IF_ERROR(Pki::Create(PkiFolder(beside), pki_options, clock));
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Pki> pki, Pki::Load(PkiFolder(beside), clock));
  CORDON_ASSIGN_OR_RETURN(const FirstOperator first, MakeFirstOperator(*pki, options.operator_name));
  result.operator_id = first.id;
  CORDON_RETURN_IF_ERROR(
      CreateSqliteStore(StoreFile(beside), {result.fleet_id, pki_options.organisation, first.bundle}, clock));
  CORDON_ASSIGN_OR_RETURN(const std::string identity, IdentityText(*pki, first, options, result.controllers));

  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(options.operator_out, identity, platform::FileAccess::kOwnerOnly));
  Draft identity_draft(options.operator_out);
  std::error_code error;
  fs::rename(beside, data, error);  // an empty folder of that name is replaced
  if (error) return absl::UnavailableError(StrCat("cannot make ", data.string(), ": ", error.message()));
  draft.Keep();
  identity_draft.Keep();
  return result;
}

}  // namespace cordon::controller
