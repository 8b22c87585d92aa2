#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/receipt_check.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/target.h"

namespace cordon::ctl {
namespace {

std::string LabelsInWords(const v1::Host& host) {
  std::string text;
  for (const v1::Label& label : host.labels()) {
    StrAppend(&text, text.empty() ? "" : " ", label.key(), "=", label.value());
  }
  return text;
}

// A receipt of a host that is away, or an old one, says what was, not what is.
std::string ContainmentOf(const v1::Host& host, const CheckedReceipt& checked, int64_t now) {
  const bool fresh = host.state() == v1::HOST_STATE_CONNECTED && IsFresh(checked.receipt, now);
  return StrCat(ContainmentWord(checked), fresh ? "" : " (last known)");
}

// What the controller itself found about the host, newest first: "session.cloned 3m20s ago".
std::string NoticesInWords(const v1::Host& host, int64_t now) {
  std::string text;
  for (const v1::HostNotice& notice : host.notices()) {
    StrAppend(&text, text.empty() ? "" : ", ", notice.kind(), " ", Ago(notice.time_unix_nanos(), now));
  }
  return text;
}

// Whole sentences for a day; `audit list` has them for longer.
void AddNotices(const v1::Host& host, int64_t now, Table* table) {
  constexpr int64_t kDayNanos = 24 * 3600 * kNanosPerSecond;
  for (const v1::HostNotice& notice : host.notices()) {
    if (now - notice.time_unix_nanos() > kDayNanos) continue;
    table->AddNote(StrCat(notice.kind(), " ", Ago(notice.time_unix_nanos(), now), ": ", notice.text()));
  }
}

void ShowTable(const Tool& tool, const std::vector<v1::Host>& hosts, const std::string& ca_pem) {
  Table table({"HOST", "SITE", "STATE", "LEVEL", "CONTAINMENT", "SEEN", "NOTICES", "LABELS", "ID"});
  for (const v1::Host& host : hosts) {
    CheckedReceipt checked;
    if (host.has_receipt()) checked = CheckReceipt(host.receipt(), host, ca_pem);
    table.Add({host.facts().host_name(), host.site(), WordOf(host.state()),
               host.has_receipt() ? LevelWord(checked) : "",
               host.has_receipt() ? ContainmentOf(host, checked, tool.Now()) : "",
               Ago(host.last_seen_unix_nanos(), tool.Now()), NoticesInWords(host, tool.Now()),
               LabelsInWords(host), host.host_id()});
    for (const std::string& note : checked.notes) table.AddNote(note);
    AddNotices(host, tool.Now(), &table);
  }
  tool.Print(table.Text());
}

boost::json::object HostJson(const v1::Host& host, const std::string& ca_pem) {
  boost::json::object line = ToJson(host);
  line["host"] = host.facts().host_name();
  if (host.has_receipt()) line["receipt"] = ReceiptJson(CheckReceipt(host.receipt(), host, ca_pem));
  return line;
}

absl::StatusOr<ExitCode> List(Tool& tool, const TargetOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(std::vector<v1::Host> hosts, client->ListHosts());
  if (!options.Empty()) {
    CORDON_ASSIGN_OR_RETURN(const v1::Target target, BuildTarget(options, hosts, tool.Now()));
    hosts = Matching(target, hosts, /*with_revoked=*/true);
  }
  std::ranges::sort(hosts, {}, [](const v1::Host& host) {
    return std::tie(host.site(), host.facts().host_name(), host.host_id());
  });
  if (!tool.Json()) {
    ShowTable(tool, hosts, client->Identity().ca_pem());
    return ExitCode::kDone;
  }
  for (const v1::Host& host : hosts) tool.Print(HostJson(host, client->Identity().ca_pem()));
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> Revoke(Tool& tool, const std::string& name, const std::string& reason) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> hosts, client->ListHosts());
  TargetOptions options;
  options.hosts = {name};
  CORDON_ASSIGN_OR_RETURN(const v1::Target target, BuildTarget(options, hosts, tool.Now()));
  v1::RevokeHostRequest request;
  request.set_host_id(target.hosts(0).host_id());
  request.set_reason(reason);
  CORDON_RETURN_IF_ERROR(client->Call(&Client::Stub::RevokeHost, request).status());
  if (tool.Json()) {
    tool.Print({{"host_id", request.host_id()}, {"host", target.hosts(0).name()}, {"state", "revoked"}});
  } else {
    tool.Print(StrCat("revoked ", Printable(target.hosts(0).name()), " (", request.host_id(),
                      "): it is not let in any more, and keeps the level it has\n"));
  }
  return ExitCode::kDone;
}

}  // namespace

void AddHosts(CLI::App* app, Command* chosen) {
  CLI::App* const hosts = app->add_subcommand("hosts", "Hosts, and what is enforced on them");
  const auto target = std::make_shared<TargetOptions>();
  AddTarget(hosts, target.get());
  CLI::App* const revoke = hosts->add_subcommand("revoke", "Let a host in no more");
  const auto name = std::make_shared<std::string>();
  const auto reason = std::make_shared<std::string>();
  revoke->add_option("HOST", *name, "Name or id")->required();
  revoke->add_option("--reason", *reason, "Why; stands in the audit log")->required();
  CLI::App* const keysheet = hosts->add_subcommand(
      "keysheet", "Print the hosts' unlock keys, for unlock codes while no controller is reached");
  hosts->callback([=] {
    if (keysheet->parsed()) {
      *chosen = PrintKeySheet;
    } else if (revoke->parsed()) {
      *chosen = [=](Tool& tool) { return Revoke(tool, *name, *reason); };
    } else {
      *chosen = [=](Tool& tool) { return List(tool, *target); };
    }
  });
}

}  // namespace cordon::ctl
