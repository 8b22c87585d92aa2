#include "controller/cordonctl/own_keys.h"

#include <boost/json/object.hpp>
#include <filesystem>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x509.h"
#include "common/wire/operator_identity.h"
#include "controller/cordonctl/identity.h"
#include "controller/cordonctl/operator_files.h"
#include "controller/cordonctl/trust_draft.h"
#include "controller/keys/operator_request.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

// What became of the identity file; `sentence` is for people.
void ShowFile(const Tool& tool, const std::string& path, boost::json::object fields,
              std::string_view sentence) {
  fields["file"] = path;
  if (tool.Json()) return tool.Print(fields);
  tool.Print(StrCat(path, ": ", sentence, "\n"));
}

// The keys that wait take the place of those in the identity file.
absl::StatusOr<ExitCode> UsePending(const Tool& tool, const std::string& path,
                                    const v1::OperatorIdentity& pending) {
  CORDON_ASSIGN_OR_RETURN(v1::OperatorIdentity identity, ReadIdentity(path));
  identity.set_signing_key_pem(pending.signing_key_pem());
  identity.set_unlock_key_pem(pending.unlock_key_pem());
  CORDON_RETURN_IF_ERROR(WriteIdentity(path, identity));
  std::error_code error;
  std::filesystem::remove(PendingFile(path), error);
  ShowFile(tool, path, {{"keys", "in-force"}}, "its new keys are in force");
  return ExitCode::kDone;
}

// Goes on with keys that wait for a change of trust.
absl::StatusOr<ExitCode> FinishRotation(Tool& tool, const std::string& path) {
  CORDON_ASSIGN_OR_RETURN(const std::string text, ReadOperatorFile(PendingFile(path)));
  CORDON_ASSIGN_OR_RETURN(const v1::OperatorIdentity pending, ReadPending(text));
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, controller::OpenKey(pending.signing_key_pem(), tool.Passphrases(),
                                                                "the new signing key"));
  CORDON_ASSIGN_OR_RETURN(const std::string public_key, RawPublicKey(*key));
  for (const v1::TrustedOperator& person : trust->bundle.operators()) {
    if (person.operator_id() == pending.operator_id() && person.ed25519_public_key() == public_key) {
      return UsePending(tool, path, pending);
    }
  }
  return absl::FailedPreconditionError(StrCat("the new keys in ", PendingFile(path),
                                              " are not in force: have the change of trust approved (see "
                                              "cordonctl orders), or take the file away to begin anew"));
}

}  // namespace

absl::StatusOr<ExitCode> RenewCertificate(Tool& tool) {
  CORDON_ASSIGN_OR_RETURN(const std::string path, tool.IdentityPath());
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(v1::OperatorIdentity identity, tool.IdentityAtAnyTime());
  CORDON_ASSIGN_OR_RETURN(EVP_PKEY* const signing, tool.SigningKey());
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewTlsKey());
  v1::IssueOperatorCertificateRequest request;
  CORDON_ASSIGN_OR_RETURN(*request.mutable_request(),
                          controller::MakeRenewal(identity, *signing, *key, tool.Now()));
  CORDON_ASSIGN_OR_RETURN(const v1::IssueOperatorCertificateResponse issued,
                          client->Call(&Client::Stub::IssueOperatorCertificate, request));
  CORDON_RETURN_IF_ERROR(CheckCertificate(issued.certificate_pem(), identity.ca_pem(), tool.Now()));
  identity.set_certificate_pem(issued.certificate_pem());
  CORDON_ASSIGN_OR_RETURN(*identity.mutable_key_pem(), PrivateKeyToPem(*key));
  CORDON_RETURN_IF_ERROR(ReadOperatorIdentity(WriteOperatorIdentity(identity)).status());
  CORDON_RETURN_IF_ERROR(WriteIdentity(path, identity));
  CORDON_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(issued.certificate_pem()));
  ShowFile(tool, path, {{"not_after_unix_nanos", info.not_after_unix_nanos}},
           StrCat("its certificate is good until ", FormatTime(info.not_after_unix_nanos)));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> RotateKeys(Tool& tool, const NewKeysOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::string path, tool.IdentityPath());
  std::error_code error;
  if (std::filesystem::exists(PendingFile(path), error)) return FinishRotation(tool, path);
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  CORDON_ASSIGN_OR_RETURN(v1::OperatorIdentity pending, tool.IdentityAtAnyTime());
  const controller::PassphraseSource chosen{
      .file = options.passphrase_file, .none = options.no_passphrase, .ask = tool.World().ask_secret};
  CORDON_ASSIGN_OR_RETURN(const std::string passphrase, controller::ChoosePassphrase(chosen));
  CORDON_ASSIGN_OR_RETURN(const controller::OperatorKeys keys, controller::NewOperatorKeys());
  CORDON_RETURN_IF_ERROR(controller::PutKeys(keys, passphrase, &pending));
  CORDON_ASSIGN_OR_RETURN(const v1::TrustedOperator trusted,
                          controller::Trusted(pending.operator_id(), pending.name(), keys));
  const v1::TrustBundle next = WithKeys(trust->bundle, trusted);
  // On disk before anybody trusts them.
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(PendingFile(path), WritePending(pending), platform::FileAccess::kOwnerOnly));
  bool sent = false;
  const absl::StatusOr<ExitCode> given =
      GiveTrustOrder(tool, options.order, next, {keys.signing.get(), &sent});
  if (!given.ok()) {
    // Whatever the controller answered, or did not: it has the signed order, and the keys may come into
    // force.
    if (sent) {
      tool.Say(StrCat(
          "the new keys stay in ", PendingFile(path),
          ": give this command again when the controller answers; take the file away only when the audit log "
          "shows that the change of trust was not taken"));
    } else {
      std::filesystem::remove(PendingFile(path), error);
    }
    return given;
  }
  if (*given != ExitCode::kDone) {
    tool.Say(
        "when it is approved, give this command again: the new keys then take the place of the old ones");
    return given;
  }
  return UsePending(tool, path, pending);
}

absl::StatusOr<ExitCode> ChangePassphrase(Tool& tool, const NewKeysOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::string path, tool.IdentityPath());
  CORDON_ASSIGN_OR_RETURN(v1::OperatorIdentity identity, tool.IdentityAtAnyTime());
  const controller::PassphraseSource old = tool.Passphrases();
  CORDON_ASSIGN_OR_RETURN(const KeyPtr signing,
                          controller::OpenKey(identity.signing_key_pem(), old, "the signing key"));
  KeyPtr unlock;
  if (!identity.unlock_key_pem().empty()) {
    CORDON_ASSIGN_OR_RETURN(unlock, controller::OpenKey(identity.unlock_key_pem(), old, "the unlock key"));
  }
  const controller::PassphraseSource chosen{
      .file = options.passphrase_file, .none = options.no_passphrase, .ask = tool.World().ask_secret};
  CORDON_ASSIGN_OR_RETURN(const std::string passphrase, controller::ChoosePassphrase(chosen));
  CORDON_ASSIGN_OR_RETURN(*identity.mutable_signing_key_pem(), controller::KeyText(*signing, passphrase));
  if (unlock) {
    CORDON_ASSIGN_OR_RETURN(*identity.mutable_unlock_key_pem(), controller::KeyText(*unlock, passphrase));
  }
  CORDON_RETURN_IF_ERROR(WriteIdentity(path, identity));
  ShowFile(tool, path, {{"sealed", !passphrase.empty()}},
           passphrase.empty() ? "its keys are not sealed any more"
                              : "its keys are sealed with the new passphrase");
  return ExitCode::kDone;
}

}  // namespace cordon::ctl
