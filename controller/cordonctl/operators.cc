// cordonctl operator: who may order what (AUT-3). Each change is one order of the lane trust.

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <filesystem>
#include <ostream>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/json.h"
#include "common/wire/trust_bundle.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/consent.h"
#include "controller/cordonctl/identity.h"
#include "controller/cordonctl/operator_files.h"
#include "controller/cordonctl/order_flow.h"
#include "controller/cordonctl/own_keys.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/trust_draft.h"
#include "controller/keys/operator_request.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

struct OperatorOptions {
  std::string name;                     // --name
  std::string file;                     // REQUEST, WELCOME, or an operator's name or id
  std::string out;                      // --out
  std::vector<std::string> roles;       // --role
  std::vector<std::string> thresholds;  // --threshold, or CLASS=N
  TrustOrderOptions order;
  bool no_passphrase = false;

  NewKeysOptions NewKeys() const { return {file, no_passphrase, order}; }
};

// Keys are made here and stay here; the request has their public halves.
absl::StatusOr<ExitCode> Request(Tool& tool, const OperatorOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::string identity, tool.IdentityPath());
  const std::string pending_file = PendingFile(identity);
  for (const std::string& file : {identity, pending_file, options.out}) {
    std::error_code error;
    if (std::filesystem::exists(file, error)) {
      return absl::AlreadyExistsError(
          StrCat(file, " is there already: name another identity with --identity, or take it away"));
    }
  }
  controller::PassphraseSource source = tool.Passphrases();
  source.none = options.no_passphrase;
  CORDON_ASSIGN_OR_RETURN(const std::string passphrase, controller::ChoosePassphrase(source));
  CORDON_ASSIGN_OR_RETURN(const controller::OperatorKeys keys, controller::NewOperatorKeys());
  v1::OperatorIdentity pending;
  pending.set_format(1);
  pending.set_operator_id(NewUuid());
  pending.set_name(options.name);
  CORDON_RETURN_IF_ERROR(controller::PutKeys(keys, passphrase, &pending));
  CORDON_ASSIGN_OR_RETURN(const v1::OperatorRequest request,
                          controller::MakeRequest(pending.operator_id(), options.name, keys, tool.Now()));
  // ~/.config/cordon, the first time; a folder that is there keeps its mode.
  const std::filesystem::path folder = std::filesystem::absolute(identity).parent_path();
  if (std::error_code error; !std::filesystem::exists(folder, error)) {
    CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(folder));
  }
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(pending_file, WritePending(pending), platform::FileAccess::kOwnerOnly));
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(options.out, WriteRequest(request), platform::FileAccess::kOwnerOnly));
  const std::string fingerprint = Fingerprint(request);
  const std::string signing_key = HexEncode(request.ed25519_public_key());
  if (tool.Json()) {
    tool.Print({{"operator_id", request.operator_id()},
                {"file", options.out},
                {"fingerprint", fingerprint},
                {"signing_key", signing_key}});
    return ExitCode::kDone;
  }
  tool.Print(StrCat("operator ", request.operator_id(), ": send ", options.out,
                    ", which holds no secret, to an operator who adds you, and tell them its fingerprint on "
                    "another way:\n  ",
                    fingerprint, "\nWhoever approves it is shown your signing key:\n  ", signing_key,
                    "\nYour keys wait in ", pending_file, "\n"));
  return ExitCode::kDone;
}

// The certificate, and what the newcomer pins, for somebody who is in force.
absl::StatusOr<ExitCode> Welcome(Tool& tool, const v1::OperatorRequest& request, const std::string& out) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  v1::IssueOperatorCertificateRequest ask;
  *ask.mutable_request() = request;
  CORDON_ASSIGN_OR_RETURN(const v1::IssueOperatorCertificateResponse issued,
                          client->Call(&Client::Stub::IssueOperatorCertificate, ask));
  v1::OperatorWelcome welcome;
  welcome.set_format(1);
  welcome.set_operator_id(request.operator_id());
  welcome.set_fleet_id(client->Identity().fleet_id());
  *welcome.mutable_controllers() = client->Identity().controllers();
  welcome.set_ca_pem(client->Identity().ca_pem());
  welcome.set_certificate_pem(issued.certificate_pem());
  welcome.set_trust_bundle_sha256(trust->pin.sha256);
  welcome.set_trust_version(trust->pin.version);
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(out, WriteWelcome(welcome), platform::FileAccess::kOwnerOnly));
  const std::string fingerprint = Fingerprint(welcome);
  if (tool.Json()) {
    tool.Print({{"operator_id", request.operator_id()}, {"file", out}, {"fingerprint", fingerprint}});
    return ExitCode::kDone;
  }
  tool.Print(StrCat(Printable(request.name()), " is an operator. Send ", out,
                    ", which holds no secret, and tell them its fingerprint on another way:\n  ", fingerprint,
                    "\n"));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> Add(Tool& tool, const OperatorOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::string text, ReadOperatorFile(options.file));
  CORDON_ASSIGN_OR_RETURN(const v1::OperatorRequest request, ReadRequest(text));
  // Before anybody signs for a newcomer who would then get no certificate.
  CORDON_RETURN_IF_ERROR(Annotate(controller::CheckRequestTime(request, tool.Now()), "operator request"));
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::TrustedOperator::Role> roles, ParseRoles(options.roles));
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Threshold> thresholds, ParseThresholds(options.thresholds));
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  for (const v1::TrustedOperator& person : trust->bundle.operators()) {
    if (person.operator_id() == request.operator_id() &&
        person.ed25519_public_key() == request.ed25519_public_key()) {
      return Welcome(tool, request, options.out);  // the change was approved meanwhile
    }
  }
  CORDON_ASSIGN_OR_RETURN(v1::TrustBundle next, WithOperator(trust->bundle, request, roles));
  SetThresholds(thresholds, &next);
  tool.Say(StrCat("fingerprint of the request: ", Fingerprint(request),
                  "; it must be what the newcomer reads out"));
  CORDON_ASSIGN_OR_RETURN(const ExitCode given, GiveTrustOrder(tool, options.order, next));
  if (given != ExitCode::kDone) {
    tool.Say("when it is approved, give this command again: it then writes the welcome");
    return given;
  }
  return Welcome(tool, request, options.out);
}

absl::StatusOr<ExitCode> Accept(Tool& tool, const OperatorOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::string identity_path, tool.IdentityPath());
  CORDON_ASSIGN_OR_RETURN(const std::string text, ReadOperatorFile(options.file));
  CORDON_ASSIGN_OR_RETURN(const v1::OperatorWelcome welcome, ReadWelcome(text));
  CORDON_ASSIGN_OR_RETURN(const std::string kept, ReadOperatorFile(PendingFile(identity_path)));
  CORDON_ASSIGN_OR_RETURN(const v1::OperatorIdentity pending, ReadPending(kept));
  CORDON_ASSIGN_OR_RETURN(const v1::OperatorIdentity identity, Join(pending, welcome));
  std::error_code error;
  if (std::filesystem::exists(identity_path, error)) {
    return absl::AlreadyExistsError(StrCat(identity_path, " is there already; take it away first"));
  }
  CORDON_RETURN_IF_ERROR(AskConsent(
      tool, options.order.yes,
      StrCat("this welcome says whom you trust from now on: fleet ", welcome.fleet_id(), ", fingerprint ",
             Fingerprint(welcome), ", which must be what the operator who added you reads out"),
      "nothing was written"));
  CORDON_RETURN_IF_ERROR(WriteIdentity(identity_path, identity));
  std::filesystem::remove(PendingFile(identity_path), error);
  if (tool.Json()) {
    tool.Print({{"operator_id", identity.operator_id()}, {"file", identity_path}});
    return ExitCode::kDone;
  }
  tool.Print(StrCat("operator ", identity.operator_id(), ": your identity is ", identity_path, "\n"));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> Remove(Tool& tool, const OperatorOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Threshold> thresholds, ParseThresholds(options.thresholds));
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  CORDON_ASSIGN_OR_RETURN(const v1::TrustedOperator person, FindOperator(trust->bundle, options.file));
  v1::TrustBundle next = WithoutOperator(trust->bundle, person.operator_id());
  SetThresholds(thresholds, &next);
  return GiveTrustOrder(tool, options.order, next);
}

absl::StatusOr<ExitCode> ChangeThresholds(Tool& tool, const OperatorOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Threshold> thresholds, ParseThresholds(options.thresholds));
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  v1::TrustBundle next = WithoutOperator(trust->bundle, "");
  SetThresholds(thresholds, &next);
  return GiveTrustOrder(tool, options.order, next);
}

absl::StatusOr<ExitCode> List(Tool& tool) {
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  Table table({"NAME", "ID", "ROLES"});
  for (const v1::TrustedOperator& person : trust->bundle.operators()) {
    if (tool.Json()) {
      tool.Print(ToJson(person));
      continue;
    }
    table.Add({person.name(), person.operator_id(), RolesOf(person)});
  }
  if (tool.Json()) return ExitCode::kDone;
  tool.Print(table.Text());
  tool.Print(StrCat("\ntrust bundle version ", trust->pin.version, "; signatures:"));
  for (const v1::Threshold& threshold : trust->bundle.thresholds()) {
    tool.Print(StrCat(" ", WordOf(threshold.action_class()), "=", threshold.signatures()));
  }
  tool.Print(StrCat(trust->bundle.thresholds().empty() ? " one for everything\n" : ", one for the rest\n"));
  return ExitCode::kDone;
}

}  // namespace

void AddOperator(CLI::App* app, Command* chosen) {
  CLI::App* const people = app->add_subcommand("operator", "Who may order what, and how many must sign");
  const auto options = std::make_shared<OperatorOptions>();
  people->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto run) {
    CLI::App* const command = people->add_subcommand(name, help);
    command->callback([=] { *chosen = [=](Tool& tool) { return run(tool, *options); }; });
    return command;
  };
  CLI::App* const request = add("request", "Make keys, and a request to become an operator", Request);
  request->add_option("--name", options->name, "Your name, as the others will see it")->required();
  request->add_option("--out", options->out, "File for the request")->required();
  CLI::App* const admit =
      add("add",
          "Make somebody an operator. A higher --threshold trust=N that needs the newcomer's "
          "signature is a second step: see 'threshold'",
          Add);
  admit->add_option("REQUEST", options->file, "The newcomer's request file")->required();
  admit->add_option("--role", options->roles, "isolate, scan, policy, trust, unlock")
      ->required()
      ->delimiter(',');
  admit->add_option("--out", options->out, "File for the welcome")->required();
  CLI::App* const accept = add("accept", "Turn a welcome and the keys that wait into your identity", Accept);
  accept->add_option("WELCOME", options->file, "The welcome file")->required();
  accept->add_flag("--yes", options->order.yes, "Do not ask");
  CLI::App* const remove = add("remove", "Take an operator out", Remove);
  remove->add_option("OPERATOR", options->file, "Name or id")->required();
  CLI::App* const threshold =
      add("threshold", "How many operators must sign a class of orders: isolate-hard=2", ChangeThresholds);
  threshold
      ->add_option("CLASS=N", options->thresholds,
                   "isolate, isolate-hard, whole-group, scan, policy, trust; 1 to 16")
      ->required();
  for (CLI::App* const each : {admit, remove}) {
    each->add_option("--threshold", options->thresholds, "CLASS=N, as for 'threshold', in the same change");
  }
  for (CLI::App* const each : {admit, remove, threshold}) AddTrustFlags(each, &options->order);
  add("list", "The operators and what they may",
      [](Tool& tool, const OperatorOptions&) { return List(tool); });
  add("renew", "A new TLS certificate for you, before the old one ends",
      [](Tool& tool, const OperatorOptions&) { return RenewCertificate(tool); });
  CLI::App* const rotate =
      add("rotate", "New signing and unlock keys for you",
          [](Tool& tool, const OperatorOptions& given) { return RotateKeys(tool, given.NewKeys()); });
  AddTrustFlags(rotate, &options->order);
  CLI::App* const passphrase =
      add("passphrase", "Another passphrase for your keys",
          [](Tool& tool, const OperatorOptions& given) { return ChangePassphrase(tool, given.NewKeys()); });
  for (CLI::App* const each : {rotate, passphrase}) {
    each->add_option("--new-passphrase-file", options->file, "File with the new one (else asked for)");
  }
  for (CLI::App* const each : {request, rotate, passphrase}) {
    each->add_flag("--no-passphrase", options->no_passphrase, "Do not seal the keys");
  }
}

}  // namespace cordon::ctl
