// cordonctl trust: what the trust bundle says beside operators and thresholds. Each change is one order of
// the lane trust.

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/wire/json.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/order_flow.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/target.h"
#include "controller/cordonctl/trust_draft.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

constexpr size_t kMaxCaBytes = 64 * 1024;

struct TrustOptions {
  std::vector<std::string> files;   // of CAs
  std::string log_key;              // hexadecimal
  std::string site;                 // --site
  std::string level;                // --level
  std::vector<std::string> roster;  // host ids or names, most needed first
  uint32_t hosts = 1;               // --hosts
  uint32_t signatures = 2;          // --signatures
  bool none = false;                // --none
  TrustOrderOptions order;
};

absl::StatusOr<ExitCode> Show(Tool& tool) {
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  if (tool.Json()) {
    tool.Print(ToJson(trust->bundle));
    return ExitCode::kDone;
  }
  tool.Print(StrCat("trust bundle version ", trust->pin.version, ", SHA-256 ", HexEncode(trust->pin.sha256),
                    "\n", trust->bundle.operators_size(), " operators (cordonctl operator list)\n"));
  for (const v1::Lifeline& lifeline : trust->bundle.lifelines()) {
    tool.Print(StrCat("lifeline ", lifeline.site(), ": the first ", lifeline.hosts(), " of ",
                      lifeline.host_ids_size(), " hosts do not go above ", WordOf(lifeline.level()),
                      " with fewer than ", lifeline.signatures(), " signatures\n"));
  }
  for (const std::string& pem : trust->bundle.ca_pem()) {
    tool.Print(StrCat("CA SHA-256 ", HexEncode(Sha256(pem)).substr(0, 16), "\n"));
  }
  if (trust->bundle.ca_pem().empty()) tool.Print("CA: each host's own, of its enrolment\n");
  tool.Print(trust->bundle.audit_log_public_key().empty()
                 ? std::string("audit log: hosts do not witness it\n")
                 : StrCat("audit log key ", HexEncode(trust->bundle.audit_log_public_key()), "\n"));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> SetAuthorities(Tool& tool, const TrustOptions& options) {
  std::vector<std::string> authorities;
  for (const std::string& file : options.files) {
    const absl::StatusOr<std::string> pem = platform::ReadFileBounded(file, kMaxCaBytes);
    if (!pem.ok()) return absl::InvalidArgumentError(std::string(Message(pem.status())));
    authorities.push_back(*pem);
  }
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  return GiveTrustOrder(tool, options.order, WithAuthorities(trust->bundle, authorities));
}

absl::StatusOr<ExitCode> SetLogKey(Tool& tool, const TrustOptions& options) {
  const absl::StatusOr<std::string> key = HexDecode(options.log_key);
  if (!key.ok() || key->size() != kEd25519PublicKeyBytes) {
    return absl::InvalidArgumentError(
        StrCat("a log's key is ", 2 * kEd25519PublicKeyBytes,
               " hexadecimal digits, as cordon-controller log-key prints them"));
  }
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  return GiveTrustOrder(tool, options.order, WithLogKey(trust->bundle, *key));
}

// Hosts by name or id, as they are in the fleet now: a name that means none or several is an error.
absl::StatusOr<std::vector<std::string>> RosterIds(Tool& tool, const TrustOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(std::vector<v1::Host> hosts, client->ListHosts());
  std::erase_if(hosts, [&](const v1::Host& host) { return host.site() != options.site; });
  std::vector<std::string> ids;
  for (const std::string& wanted : options.roster) {
    const absl::StatusOr<v1::TargetHost> found = FindHost(wanted, hosts, tool.Now());
    if (!found.ok()) return Annotate(found.status(), StrCat("site ", options.site));
    ids.push_back(found->host_id());
  }
  return ids;
}

absl::StatusOr<ExitCode> SetLifeline(Tool& tool, const TrustOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  if (options.none) {
    CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle next, WithoutLifeline(trust->bundle, options.site));
    return GiveTrustOrder(tool, options.order, next);
  }
  v1::Lifeline lifeline;
  lifeline.set_site(options.site);
  lifeline.set_level(FromWord<v1::Level>(options.level));
  lifeline.set_hosts(options.hosts);
  lifeline.set_signatures(options.signatures);
  if (lifeline.level() == v1::LEVEL_UNSPECIFIED) {
    return absl::InvalidArgumentError(StrCat("--level: '", options.level, "' is no level"));
  }
  CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> ids, RosterIds(tool, options));
  for (const std::string& id : ids) lifeline.add_host_ids(id);
  return GiveTrustOrder(tool, options.order, WithLifeline(trust->bundle, lifeline));
}

}  // namespace

void AddTrust(CLI::App* app, Command* chosen) {
  CLI::App* const trust =
      app->add_subcommand("trust", "What hosts believe: CAs, lifelines, the audit log's key");
  const auto options = std::make_shared<TrustOptions>();
  trust->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto run) {
    CLI::App* const command = trust->add_subcommand(name, help);
    command->callback([=] { *chosen = [=](Tool& tool) { return run(tool, *options); }; });
    return command;
  };
  add("show", "What is in force", [](Tool& tool, const TrustOptions&) { return Show(tool); });
  CLI::App* const ca =
      add("ca", "The CAs of the fleet's certificates, all of them: for a change of the CA", SetAuthorities);
  ca->add_option("FILE", options->files, "PEM files, 1 to 4")->required()->expected(1, 4);
  CLI::App* const log_key = add("log-key", "The key of the controller's audit log", SetLogKey);
  log_key->add_option("KEY", options->log_key, "As cordon-controller log-key prints it")->required();
  CLI::App* const lifeline =
      add("lifeline", "Hosts of a site that stay reachable unless several operators sign", SetLifeline);
  lifeline->add_option("--site", options->site, "The site")->required();
  CLI::Option* const none = lifeline->add_flag("--none", options->none, "Take the site's lifeline away");
  lifeline->add_option("--level", options->level, "The highest level for one signature (default essential)")
      ->default_val("essential")
      ->excludes(none);
  lifeline->add_option("--hosts", options->hosts, "How many hosts (default 1)")->check(CLI::Range(1, 100));
  lifeline->add_option("--signatures", options->signatures, "How many must sign to go above it (default 2)")
      ->check(CLI::Range(2, 16));
  lifeline->add_option("HOST", options->roster, "The site's hosts by name or id, most needed first")
      ->excludes(none);
  for (CLI::App* const each : {ca, log_key, lifeline}) AddTrustFlags(each, &options->order);
}

}  // namespace cordon::ctl
