#include "controller/cordonctl/order_text.h"

#include <map>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

constexpr size_t kMostSitesShown = 10;

std::string DescribeIsolate(const v1::IsolateAction& action) {
  std::string text = StrCat("isolate to ", WordOf(action.level()));
  if (action.has_profile()) {
    StrAppend(&text, " with profile '", action.profile().name(), "' (",
              Count(static_cast<uint64_t>(action.profile().allow_size()), "rule"), ")");
  }
  if (action.has_lease()) {
    StrAppend(&text, " for ", FormatDuration(action.lease().length().seconds() * kNanosPerSecond));
    if (action.lease().then() != v1::LEVEL_UNSPECIFIED)
      StrAppend(&text, " and then ", WordOf(action.lease().then()));
  }
  StrAppend(&text, ", fallback ", WordOf(action.fallback()));
  return text;
}

std::string DescribeScan(const v1::ScanSpec& spec) {
  std::string text = "scan";
  if (spec.has_integrity()) {
    const v1::IntegrityCheck::Mode mode = spec.integrity().mode();
    StrAppend(&text, " integrity, ",
              mode == v1::IntegrityCheck::MODE_CREATE  ? "make the baseline"
              : mode == v1::IntegrityCheck::MODE_CHECK ? "check against the baseline"
                                                       : "check, or make the baseline if there is none");
  }
  if (spec.has_indicators()) {
    const v1::IndicatorCheck& check = spec.indicators();
    StrAppend(
        &text, spec.has_integrity() ? " and for" : " for", " indicators: ",
        Count(static_cast<uint64_t>(check.sha256_size()) + static_cast<uint64_t>(check.md5_size()), "digest"),
        ", ", Count(static_cast<uint64_t>(check.path_patterns_size()), "path pattern"), ", ",
        Count(static_cast<uint64_t>(check.yara_size()), "rule file"),
        check.running_processes() ? ", running programs too" : "");
  }
  if (spec.paths().empty()) return StrAppend(&text, ", watched paths"), text;
  for (const std::string& path : spec.paths()) StrAppend(&text, ", ", path);
  return text;
}

std::string DescribePolicy(const v1::Policy& policy) {
  std::string text = "watch";
  for (const std::string& path : policy.watched_paths()) StrAppend(&text, " ", path);
  if (!policy.sensitive_paths().empty()) text += ", tell reads of";
  for (const std::string& path : policy.sensitive_paths()) StrAppend(&text, " ", path);
  if (policy.tripwires().off()) text += ", no tripwires";
  if (policy.tripwires().has_isolate()) {
    const v1::SelfIsolation& isolate = policy.tripwires().isolate();
    StrAppend(&text, ", and let hosts isolate THEMSELVES to ", WordOf(isolate.level()), " for ",
              FormatDuration(isolate.lease().length().seconds() * kNanosPerSecond),
              " when a tripwire is sure");
  }
  return text;
}

}  // namespace

std::string DescribeAction(const v1::Order& order) {
  switch (order.action_case()) {
    case v1::Order::kIsolate:
      return DescribeIsolate(order.isolate());
    case v1::Order::kRelease:
      return "release";
    case v1::Order::kScan:
      return DescribeScan(order.scan().spec());
    case v1::Order::kCancelScan:
      return StrCat("cancel scan ", order.cancel_scan().scan_order_id());
    case v1::Order::kPauseScan:
      return StrCat(order.pause_scan().resume() ? "resume" : "pause", " scan ",
                    order.pause_scan().scan_order_id());
    case v1::Order::kPolicy:
      return DescribePolicy(order.policy().policy());
    case v1::Order::kTrust:
      return "change who is trusted";
    case v1::Order::ACTION_NOT_SET:
      break;
  }
  return "an action that this version does not know";
}

std::vector<std::string> DescribeRules(const v1::Order& order) {
  std::vector<std::string> lines;
  for (const v1::AllowRule& rule : order.isolate().profile().allow()) {
    std::string& line = lines.emplace_back(StrCat(WordOf(rule.direction()), " ", WordOf(rule.protocol())));
    for (const std::string& network : rule.networks()) StrAppend(&line, " ", network);
    for (const std::string& name : rule.names()) StrAppend(&line, " ", name);
    for (const v1::PortRange& range : rule.ports()) {
      StrAppend(&line, range.first() == range.last() ? StrCat(" :", range.first())
                                                     : StrCat(" :", range.first(), "-", range.last()));
    }
    if (rule.has_program()) StrAppend(&line, " only by ", rule.program().path());
    if (!rule.program().sha256().empty()) {
      StrAppend(&line, " sha256 ", HexEncode(rule.program().sha256()).substr(0, 16), "…");
    }
    if (!rule.comment().empty()) StrAppend(&line, "  (", rule.comment(), ")");
  }
  return lines;
}

std::string DescribeTarget(const v1::Target& target) {
  if (target.all()) return "all hosts";
  std::string text;
  const auto add = [&](const std::string& part) { StrAppend(&text, text.empty() ? "" : ", ", part); };
  if (target.hosts_size() == 1) {
    const v1::TargetHost& host = target.hosts(0);
    add(host.name().empty() ? host.host_id() : host.name());
  } else if (target.hosts_size() > 1) {
    add(Count(static_cast<uint64_t>(target.hosts_size()), "host"));
  }
  for (const std::string& site : target.sites()) add(StrCat("site ", site));
  for (const v1::Label& label : target.labels()) add(StrCat("label ", label.key(), "=", label.value()));
  return text;
}

std::string DescribeHosts(std::span<const v1::Host> hosts) {
  std::map<std::string, int> sites;
  for (const v1::Host& host : hosts) ++sites[host.site()];
  std::string text = Count(hosts.size(), "host");
  size_t shown = 0;
  for (const auto& [site, count] : sites) {
    if (shown == kMostSitesShown) {
      StrAppend(&text, " and ", Count(sites.size() - shown, "more site"));
      break;
    }
    StrAppend(&text, shown++ == 0 ? ": " : ", ", site, " ", count);
  }
  return text;
}

std::string DescribeReceipt(const v1::Receipt& receipt) {
  std::string text =
      StrCat(receipt.enforced_level() == v1::LEVEL_UNSPECIFIED ? std::string("level unknown")
                                                               : WordOf(receipt.enforced_level()),
             ", ",
             receipt.containment() == v1::CONTAINMENT_UNSPECIFIED ? std::string("unverified")
                                                                  : WordOf(receipt.containment()));
  for (int i = 0; i < receipt.reasons_size(); ++i) StrAppend(&text, i == 0 ? ": " : "; ", receipt.reasons(i));
  return text;
}

}  // namespace cordon::ctl
