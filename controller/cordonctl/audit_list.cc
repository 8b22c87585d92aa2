#include <CLI/CLI.hpp>
#include <map>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/target.h"

namespace cordon::ctl {
namespace {

constexpr uint32_t kMaxLimit = 100'000;
constexpr uint32_t kMaxPage = 1'000;
constexpr std::string_view kHostPrefix = "host/";

struct AuditListOptions {
  std::string host;
  std::string kind;
  uint32_t limit = 100;
};

// Ids of hosts as people know them; everything else as the log has it.
class HostNames {
 public:
  explicit HostNames(const std::vector<v1::Host>& hosts) {
    for (const v1::Host& host : hosts) names_[host.host_id()] = host.facts().host_name();
  }

  std::string Of(const std::string& text) const {
    const bool prefixed = text.starts_with(kHostPrefix);
    const auto found = names_.find(prefixed ? text.substr(kHostPrefix.size()) : text);
    if (found == names_.end() || found->second.empty()) return text;
    return StrCat(prefixed ? kHostPrefix : "", found->second);
  }

 private:
  std::map<std::string, std::string> names_;
};

absl::Status ReadEntries(const Client& client, v1::ListAuditRequest request, uint32_t limit,
                         const std::function<void(const v1::AuditEntry&)>& on_entry) {
  while (limit > 0) {
    request.set_limit(std::min(limit, kMaxPage));
    CORDON_ASSIGN_OR_RETURN(const v1::ListAuditResponse page, client.Call(&Client::Stub::ListAudit, request));
    for (const v1::AuditEntry& entry : page.entries()) {
      if (limit == 0) break;
      on_entry(entry);
      --limit;
    }
    if (page.next_page_token().empty()) break;
    if (page.next_page_token() == request.page_token()) {
      return absl::OutOfRangeError("the controller's list of audit entries does not end");
    }
    request.set_page_token(page.next_page_token());
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> List(Tool& tool, const AuditListOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> hosts, client->ListHosts());
  v1::ListAuditRequest request;
  request.set_action_prefix(options.kind);
  if (!options.host.empty()) {
    TargetOptions target;
    target.hosts = {options.host};
    CORDON_ASSIGN_OR_RETURN(const v1::Target named, BuildTarget(target, hosts, tool.Now()));
    request.set_host_id(named.hosts(0).host_id());
  }
  const HostNames names(hosts);
  Table table({"TIME", "ENTRY", "WHO", "KIND", "ABOUT", "DETAIL"});
  CORDON_RETURN_IF_ERROR(ReadEntries(*client, request, options.limit, [&](const v1::AuditEntry& entry) {
    if (tool.Json()) return tool.Print(ToJson(entry));
    table.Add({FormatTime(entry.time_unix_nanos()), StrCat(entry.index()), names.Of(entry.actor()),
               entry.action(), names.Of(entry.subject()), entry.detail()});
  }));
  if (!tool.Json()) tool.Print(table.Text());
  return ExitCode::kDone;
}

}  // namespace

void AddAuditList(CLI::App* audit, Command* chosen) {
  const auto options = std::make_shared<AuditListOptions>();
  CLI::App* const list =
      audit->add_subcommand("list", "Show the newest entries, newest first; checks nothing");
  list->add_option("--host", options->host, "Only entries that name this host (name or id)");
  list->add_option("--kind", options->kind, "Only kinds that begin so: order., session.cloned");
  list->add_option("--limit", options->limit, "How many")->check(CLI::Range(1U, kMaxLimit));
  list->callback([=] { *chosen = [=](Tool& tool) { return List(tool, *options); }; });
}

}  // namespace cordon::ctl
