// cordonctl unlock-code and hosts keysheet: the operator's side of an unlock by phone (AUT-5). With a key
// sheet it needs no controller, and no certificate that is still valid.

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/x25519.h"
#include "common/wire/json.h"
#include "common/wire/unlock.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/consent.h"
#include "controller/cordonctl/identity.h"
#include "controller/cordonctl/key_sheet.h"
#include "controller/cordonctl/unlock_text.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

struct UnlockCodeOptions {
  std::string challenge;
  std::string host;
  std::string sheet;
  bool yes = false;
};

// Who answers, and with whose key.
struct Question {
  v1::OperatorIdentity identity;
  v1::UnlockKeySheet sheet;
};

absl::StatusOr<v1::UnlockKeySheet> SheetOf(const Client& client, const std::string& name, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(std::vector<v1::Host> hosts, client.ListHosts());
  for (v1::Host& host : hosts) {
    // Revoked hosts have no names, but may still have to be freed.
    if (host.host_id() == name) host.set_state(v1::HOST_STATE_OFFLINE);
  }
  return MakeKeySheet(client.Identity().fleet_id(), hosts, now);
}

absl::StatusOr<Question> AskController(Tool& tool, const UnlockCodeOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(v1::UnlockKeySheet sheet, SheetOf(*client, options.host, tool.Now()));
  return Question{client->Identity(), std::move(sheet)};
}

absl::StatusOr<Question> ReadSheet(Tool& tool, const UnlockCodeOptions& options) {
  Question question;
  CORDON_ASSIGN_OR_RETURN(question.identity, tool.IdentityAtAnyTime());
  CORDON_ASSIGN_OR_RETURN(const std::string text,
                          platform::ReadFileBounded(options.sheet, kMaxKeySheetBytes));
  absl::StatusOr<v1::UnlockKeySheet> sheet = ReadKeySheet(text);
  if (!sheet.ok()) return Annotate(sheet.status(), options.sheet);
  question.sheet = *std::move(sheet);
  if (question.sheet.fleet_id() != question.identity.fleet_id())
    return absl::FailedPreconditionError(StrCat(options.sheet, " is a key sheet of another fleet"));
  return question;
}

absl::StatusOr<std::string> CodeFor(Tool& tool, const Question& question, const v1::UnlockKey& host,
                                    const UnlockChallenge& challenge) {
  const v1::OperatorIdentity& identity = question.identity;
  if (identity.unlock_key_pem().empty()) {
    return absl::FailedPreconditionError(
        "this identity has no unlock key; answer with one of an operator who has the role unlock");
  }
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key,
                          controller::OpenKey(identity.unlock_key_pem(), tool.Passphrases(),
                                              StrCat("the unlock key of ", identity.name())));
  CORDON_ASSIGN_OR_RETURN(const std::string public_key, RawX25519PublicKey(*key));
  return UnlockCode({.fleet_id = identity.fleet_id(),
                     .host_id = host.host_id(),
                     .host_name = host.host_name(),
                     .operator_id = identity.operator_id(),
                     .host_public_key = host.unlock_public_key(),
                     .operator_public_key = public_key},
                    challenge, *key);
}

void ShowCode(const Tool& tool, const v1::UnlockKey& host, const UnlockChallenge& challenge,
              const std::string& code) {
  if (tool.Json()) {
    tool.Print({{"host_id", host.host_id()},
                {"host", host.host_name()},
                {"challenge", InGroups(WriteUnlockChallenge(challenge))},
                {"level", WordOf(challenge.level)},
                {"length_nanos", challenge.length_nanos},
                {"code", InGroups(code)}});
    return;
  }
  tool.Print(StrCat(InGroups(code), "\n\n", SpellOut(code), "\n"));
}

absl::StatusOr<ExitCode> GiveCode(Tool& tool, const UnlockCodeOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const UnlockChallenge challenge, ReadUnlockChallenge(options.challenge));
  CORDON_ASSIGN_OR_RETURN(const Question question,
                          options.sheet.empty() ? AskController(tool, options) : ReadSheet(tool, options));
  CORDON_ASSIGN_OR_RETURN(const v1::UnlockKey host, FindUnlockKey(question.sheet, options.host));
  CORDON_RETURN_IF_ERROR(AskConsent(tool, options.yes, DescribeUnlock(challenge, host), "no code was made"));
  CORDON_ASSIGN_OR_RETURN(const std::string code, CodeFor(tool, question, host, challenge));
  ShowCode(tool, host, challenge, code);
  return ExitCode::kDone;
}

}  // namespace

absl::StatusOr<ExitCode> PrintKeySheet(Tool& tool) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> hosts, client->ListHosts());
  const v1::UnlockKeySheet sheet = MakeKeySheet(client->Identity().fleet_id(), hosts, tool.Now());
  tool.Print(WriteKeySheet(sheet));
  const auto wanted = std::ranges::count_if(
      hosts, [](const v1::Host& host) { return host.state() != v1::HOST_STATE_REVOKED; });
  tool.Say(StrCat("a key sheet of ", sheet.keys_size(), " hosts of ", wanted,
                  "; keep it where you keep your identity, and make a new one when hosts have joined"));
  return ExitCode::kDone;
}

void AddUnlockCode(CLI::App* app, Command* chosen) {
  CLI::App* const unlock =
      app->add_subcommand("unlock-code", "Answer the challenge that a host shows, to free it by phone");
  const auto options = std::make_shared<UnlockCodeOptions>();
  unlock->add_option("CHALLENGE", options->challenge, "As it is read out: three groups of four letters")
      ->required();
  unlock->add_option("--host", options->host, "Its name, as it is read out, or its id")->required();
  unlock->add_option(
      "--sheet", options->sheet,
      "Key sheet to take the host's key from, from: cordonctl hosts keysheet; asks no controller");
  unlock->add_flag("--yes", options->yes, "Do not ask");
  unlock->callback([=] { *chosen = [=](Tool& tool) { return GiveCode(tool, *options); }; });
}

}  // namespace cordon::ctl
