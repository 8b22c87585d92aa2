#include "controller/cordonctl/tool.h"

#include <boost/json/serialize.hpp>
#include <ostream>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/cordonctl/identity.h"

namespace cordon::ctl {

absl::StatusOr<Client*> Tool::Controller() {
  if (client_) return client_.get();
  CORDON_ASSIGN_OR_RETURN(const std::filesystem::path path,
                          FindIdentity(options_.identity, environment_.getenv));
  CORDON_ASSIGN_OR_RETURN(LoadedIdentity loaded, LoadIdentity(path, Now()));
  identity_path_ = path.string();
  for (const std::string& warning : loaded.warnings) Say(warning);
  if (!options_.controller.empty()) {
    loaded.identity.clear_controllers();
    loaded.identity.add_controllers(options_.controller);
  }
  CORDON_ASSIGN_OR_RETURN(client_, Client::Connect(loaded.identity));
  return client_.get();
}

absl::StatusOr<const FollowedTrust*> Tool::Trust() {
  if (trust_) return &*trust_;
  CORDON_ASSIGN_OR_RETURN(Client* const client, Controller());
  const TrustPin pin{client->Identity().trust_bundle_sha256(), client->Identity().trust_version()};
  CORDON_ASSIGN_OR_RETURN(trust_, FollowTrust(pin, client->Fleet().trust_bundle(),
                                              [&](uint64_t after) { return client->TrustHistory(after); }));
  const std::string authorities = client->Identity().ca_pem();
  client->Pin(*trust_);
  // The CAs can lag behind the pin: in a welcome of somebody who did not know of another CA yet.
  if (trust_->pin == pin && client->Identity().ca_pem() == authorities) return &*trust_;
  const absl::Status written = PinTrust(identity_path_, *trust_);
  if (!written.ok()) {
    Say(StrCat("warning: cannot write the new pin: ", Message(written),
               "; the next call follows the chain again"));
  } else if (trust_->pin.sha256 != pin.sha256) {
    Say(StrCat("the fleet's operators have changed: trust bundle version ", trust_->pin.version,
               " follows from the pinned one, and is pinned in ", identity_path_, " now"));
  }
  return &*trust_;
}

absl::StatusOr<EVP_PKEY*> Tool::SigningKey() {
  if (signing_key_) return signing_key_.get();
  CORDON_ASSIGN_OR_RETURN(const Client* const client, Controller());
  const v1::OperatorIdentity& identity = client->Identity();
  CORDON_ASSIGN_OR_RETURN(signing_key_, controller::OpenKey(identity.signing_key_pem(), Passphrases(),
                                                            StrCat("the signing key of ", identity.name())));
  return signing_key_.get();
}

absl::Status Tool::FollowTrustAgain() {
  CORDON_ASSIGN_OR_RETURN(Client* const client, Controller());
  CORDON_RETURN_IF_ERROR(client->Refresh());
  trust_.reset();
  return Trust().status();
}

absl::StatusOr<std::string> Tool::IdentityPath() const {
  CORDON_ASSIGN_OR_RETURN(const std::filesystem::path path,
                          FindIdentity(options_.identity, environment_.getenv));
  return path.string();
}

controller::PassphraseSource Tool::Passphrases() const {
  std::string file = options_.passphrase_file;
  const char* const set = environment_.getenv("CORDON_PASSPHRASE_FILE");
  if (file.empty() && set != nullptr) file = set;
  return {.file = std::move(file), .ask = environment_.ask_secret};
}

absl::StatusOr<v1::OperatorIdentity> Tool::IdentityAtAnyTime() const {
  CORDON_ASSIGN_OR_RETURN(const std::filesystem::path path,
                          FindIdentity(options_.identity, environment_.getenv));
  return ReadIdentity(path);
}

void Tool::Print(const boost::json::object& object) const {
  environment_.out << boost::json::serialize(object) << '\n' << std::flush;
}

void Tool::Print(std::string_view text) const {
  environment_.out << text << std::flush;
}

void Tool::Say(std::string_view sentence) const {
  environment_.err << "cordonctl: " << Printable(sentence) << '\n' << std::flush;
}

}  // namespace cordon::ctl
