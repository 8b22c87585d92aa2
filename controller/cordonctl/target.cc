#include "controller/cordonctl/target.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/order.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

bool SameName(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool IsNamed(const v1::Host& host, std::string_view text) {
  return host.state() != v1::HOST_STATE_REVOKED && SameName(host.facts().host_name(), text);
}

v1::TargetHost AsTarget(const v1::Host& host) {
  v1::TargetHost target;
  target.set_host_id(host.host_id());
  target.set_name(host.facts().host_name());
  return target;
}

}  // namespace

absl::StatusOr<v1::TargetHost> FindHost(const std::string& text, const std::vector<v1::Host>& hosts,
                                        int64_t now) {
  std::vector<const v1::Host*> found;
  for (const v1::Host& host : hosts) {
    // A host says its name itself: one that calls itself by another's id must not keep that one from being
    // named.
    if (host.host_id() == text) return AsTarget(host);
    if (IsNamed(host, text)) found.push_back(&host);
  }
  if (found.empty()) {
    return absl::NotFoundError(
        StrCat("no host has the name or id '", Printable(text), "'; see 'cordonctl hosts'"));
  }
  if (found.size() > 1) {
    std::string candidates;
    for (const v1::Host* host : found) {
      StrAppend(&candidates, candidates.empty() ? "" : ", ", host->host_id(), " (site ",
                Printable(host->site()), ", seen ", Ago(host->last_seen_unix_nanos(), now), ")");
    }
    return absl::FailedPreconditionError(
        StrCat(found.size(), " hosts have the name '", Printable(text), "'; give the id: ", candidates));
  }
  return AsTarget(*found[0]);
}

void AddTarget(CLI::App* command, TargetOptions* options) {
  command->add_option("TARGET", options->hosts, "Names or ids of hosts");
  command->add_option("--site", options->sites, "All hosts of this site")->allow_extra_args(false);
  command->add_option("--label", options->labels, "All hosts with this label (key=value)")
      ->allow_extra_args(false);
  command->add_flag("--all", options->all, "All hosts");
}

absl::StatusOr<std::vector<v1::Label>> ParseLabels(const std::vector<std::string>& texts) {
  std::vector<v1::Label> labels;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(StrCat("'", Printable(text), "' is not a label like role=reception"));
    }
    v1::Label& label = labels.emplace_back();
    label.set_key(text.substr(0, equals));
    label.set_value(text.substr(equals + 1));
  }
  return labels;
}

absl::StatusOr<v1::Target> BuildTarget(const TargetOptions& options, const std::vector<v1::Host>& hosts,
                                       int64_t now_unix_nanos) {
  if (options.Empty()) {
    return absl::InvalidArgumentError("no target: name hosts, or give --site, --label or --all");
  }
  if (options.all && !(options.hosts.empty() && options.sites.empty() && options.labels.empty())) {
    return absl::InvalidArgumentError("--all stands alone: leave out hosts, --site and --label, or --all");
  }
  v1::Target target;
  target.set_all(options.all);
  for (const std::string& site : options.sites) target.add_sites(site);
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Label> labels, ParseLabels(options.labels));
  for (const v1::Label& label : labels) *target.add_labels() = label;
  CORDON_RETURN_IF_ERROR(CheckLabels(target.labels()));
  for (const std::string& text : options.hosts) {
    CORDON_ASSIGN_OR_RETURN(*target.add_hosts(), FindHost(text, hosts, now_unix_nanos));
  }
  CORDON_RETURN_IF_ERROR(CheckTarget(target));
  return target;
}

std::vector<v1::Host> Matching(const v1::Target& target, const std::vector<v1::Host>& hosts,
                               bool with_revoked) {
  std::vector<v1::Host> matching;
  for (const v1::Host& host : hosts) {
    if (host.state() == v1::HOST_STATE_REVOKED && !with_revoked) continue;
    const HostTraits traits{
        host.host_id(), host.facts().host_name(), host.site(), {host.labels().begin(), host.labels().end()}};
    if (TargetMatches(target, traits)) matching.push_back(host);
  }
  return matching;
}

}  // namespace cordon::ctl
