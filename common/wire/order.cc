#include "common/wire/order.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/wire/profile.h"
#include "common/wire/trust.h"
#include "common/wire/unknown_fields.h"

namespace cordon {
namespace {

using google::protobuf::RepeatedPtrField;

constexpr size_t kMaxReasonBytes = 1'000;
constexpr size_t kMaxIncidentBytes = 100;
constexpr size_t kMaxUserMessageBytes = 500;
constexpr size_t kMaxHostNameBytes = 253;
constexpr size_t kMaxLabelKeyBytes = 64;
constexpr size_t kMaxLabelValueBytes = 128;
constexpr size_t kMaxRuleFileBytes = 4 * 1024 * 1024;
constexpr int kMaxSites = 1'000;
constexpr int kMaxLabels = 1'000;
constexpr int kMaxScanPaths = 64;
constexpr int kMaxHashes = 1'000'000;
constexpr int kMaxPatterns = 10'000;
constexpr int kMaxRuleFiles = 1'000;
constexpr int kMaxPolicyPaths = 256;
constexpr int kMaxCanaryFolders = 64;
constexpr uint32_t kMaxTripwireFiles = 1000;
constexpr int64_t kMaxTripwireWindow = 300LL * 1'000'000'000;
constexpr int64_t kMaxSelfLeaseSeconds = 24 * 3600;
constexpr int64_t kMinLeaseSeconds = 60;
constexpr int64_t kMaxLeaseSeconds = 90LL * 24 * 3600;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

absl::Status CheckCount(std::string_view field, int count, int limit) {
  if (count <= limit) return absl::OkStatus();
  return Bad(StrCat(field, ": ", count, " entries, at most ", limit));
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t limit) {
  if (IsPlainText(text, limit)) return absl::OkStatus();
  return Bad(StrCat(field, ": longer than ", limit, " bytes, or with control characters"));
}

absl::Status CheckAbsolute(std::string_view field, const RepeatedPtrField<std::string>& paths, int limit) {
  CORDON_RETURN_IF_ERROR(CheckCount(field, paths.size(), limit));
  for (const std::string& path : paths) {
    if (!IsAbsolutePath(path)) {
      return Bad(StrCat(field, ": '", Printable(path.substr(0, 200)), "' is not an absolute path of at most ",
                        kMaxPathBytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPatterns(std::string_view field, const RepeatedPtrField<std::string>& patterns, int limit) {
  CORDON_RETURN_IF_ERROR(CheckCount(field, patterns.size(), limit));
  for (const std::string& pattern : patterns) {
    if (pattern.empty() || !IsPlainText(pattern, kMaxPathBytes)) {
      return Bad(StrCat(field, ": an entry is empty, longer than ", kMaxPathBytes,
                        " bytes, or with control characters"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHashes(std::string_view field, const RepeatedPtrField<std::string>& hashes, size_t bytes) {
  CORDON_RETURN_IF_ERROR(CheckCount(field, hashes.size(), kMaxHashes));
  for (const std::string& hash : hashes) {
    if (hash.size() != bytes)
      return Bad(StrCat(field, ": an entry has ", hash.size(), " bytes, not ", bytes));
  }
  return absl::OkStatus();
}

bool IsLabelKey(std::string_view key) {
  return !key.empty() && key.size() <= kMaxLabelKeyBytes && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

absl::Status CheckIndicators(const v1::IndicatorCheck& check) {
  if (check.sha256().empty() && check.md5().empty() && check.path_patterns().empty() && check.yara().empty())
    return Bad("there is nothing to look for");
  CORDON_RETURN_IF_ERROR(CheckHashes("sha256", check.sha256(), kSha256Bytes));
  CORDON_RETURN_IF_ERROR(CheckHashes("md5", check.md5(), kMd5Bytes));
  CORDON_RETURN_IF_ERROR(CheckPatterns("path_patterns", check.path_patterns(), kMaxPatterns));
  CORDON_RETURN_IF_ERROR(CheckCount("yara", check.yara_size(), kMaxRuleFiles));
  std::set<std::string_view> names;
  for (const v1::RuleFile& file : check.yara()) {
    if (!names.insert(file.name()).second)
      return Bad(StrCat("yara: two rule files are called ", Printable(file.name().substr(0, 200))));
    CORDON_RETURN_IF_ERROR(CheckText("yara.name", file.name(), kMaxPathBytes));
    if (file.name().empty()) return Bad("yara.name: missing");
    if (file.content().size() > kMaxRuleFileBytes) {
      return Bad(StrCat("yara: '", Printable(file.name()), "' is longer than ", kMaxRuleFileBytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTrust(const v1::TrustAction& action) {
  if (!action.bundle().signatures().empty()) {
    return Bad(
        "bundle: signatures: a change of trust is signed by the order alone; make it with a newer cordonctl");
  }
  return ParseTrustBundle(action.bundle()).status();
}

absl::Status CheckAction(const v1::Order& order) {
  switch (order.action_case()) {
    case v1::Order::kIsolate:
      return Annotate(CheckIsolateAction(order.isolate()), "isolate");
    case v1::Order::kRelease:
      return Annotate(CheckText("user_message", order.release().user_message(), kMaxUserMessageBytes),
                      "release");
    case v1::Order::kScan:
      return Annotate(CheckScanSpec(order.scan().spec()), "scan");
    case v1::Order::kCancelScan:
      if (IsUuid(order.cancel_scan().scan_order_id())) return absl::OkStatus();
      return Bad("cancel_scan: scan_order_id is not an order's id");
    case v1::Order::kPauseScan:
      if (IsUuid(order.pause_scan().scan_order_id())) return absl::OkStatus();
      return Bad("pause_scan: scan_order_id is not an order's id");
    case v1::Order::kPolicy:
      return Annotate(CheckPolicy(order.policy().policy()), "policy");
    case v1::Order::kTrust:
      return Annotate(CheckTrust(order.trust()), "trust");
    case v1::Order::ACTION_NOT_SET:
      break;
  }
  return Bad("action: missing, or not known to this version");
}

absl::Status CheckTimes(const v1::Order& order) {
  if (order.not_before_unix_nanos() < 0) return Bad("not_before: before 1970");
  if (order.expiry_unix_nanos() <= order.not_before_unix_nanos()) {
    return Bad("expiry: not after not_before");
  }
  const int64_t life = order.expiry_unix_nanos() - order.not_before_unix_nanos();
  if (life > (order.has_trust() ? kMaxTrustOrderLifeNanos : kMaxOrderLifeNanos)) {
    return Bad(StrCat("expiry: more than ", order.has_trust() ? "10 years" : "90 days", " after not_before"));
  }
  if (order.sequence() == 0) return Bad("sequence: missing");
  const uint64_t start_micros = static_cast<uint64_t>(order.not_before_unix_nanos()) / 1'000;
  if (order.sequence() > start_micros + kMaxSequenceLeadMicros) {
    return Bad("sequence: more than an hour ahead of not_before; check the clock of the signing machine");
  }
  return absl::OkStatus();
}

bool SameNameIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

absl::Status CheckLabels(const RepeatedPtrField<v1::Label>& labels) {
  CORDON_RETURN_IF_ERROR(CheckCount("labels", labels.size(), kMaxLabels));
  for (const v1::Label& label : labels) {
    if (!IsLabelKey(label.key())) {
      return Bad(StrCat("labels: the key '", Printable(label.key().substr(0, 80)),
                        "' is not 1 to 64 characters of [a-z0-9._-]"));
    }
    CORDON_RETURN_IF_ERROR(CheckText("labels: value", label.value(), kMaxLabelValueBytes));
  }
  return absl::OkStatus();
}

absl::Status CheckTarget(const v1::Target& target) {
  if (target.hosts().empty() && target.sites().empty() && target.labels().empty() && !target.all()) {
    return Bad("target: names no host, site or label");
  }
  CORDON_RETURN_IF_ERROR(CheckCount("target: hosts", target.hosts_size(), kMaxTargetHosts));
  for (const v1::TargetHost& host : target.hosts()) {
    if (!IsUuid(host.host_id())) {
      return Bad(StrCat("target: '", Printable(host.host_id().substr(0, 80)), "' is not a host id"));
    }
    CORDON_RETURN_IF_ERROR(CheckText("target: host name", host.name(), kMaxHostNameBytes));
  }
  CORDON_RETURN_IF_ERROR(CheckCount("target: sites", target.sites_size(), kMaxSites));
  for (const std::string& site : target.sites()) {
    if (!IsName(site)) {
      return Bad(StrCat("target: the site '", Printable(site.substr(0, 80)),
                        "' is not 1 to 64 characters of [a-z0-9-]"));
    }
  }
  return Annotate(CheckLabels(target.labels()), "target");
}

absl::Status CheckScanSpec(const v1::ScanSpec& spec) {
  CORDON_RETURN_IF_ERROR(CheckAbsolute("paths", spec.paths(), kMaxScanPaths));
  if (!spec.has_integrity() && !spec.has_indicators()) return Bad("spec: asks for nothing");
  if (spec.has_integrity() && !v1::IntegrityCheck::Mode_IsValid(spec.integrity().mode())) {
    return Bad("integrity.mode: not known");
  }
  return spec.has_indicators() ? Annotate(CheckIndicators(spec.indicators()), "indicators")
                               : absl::OkStatus();
}

absl::Status CheckLease(const v1::Lease& lease, v1::Level level) {
  const int64_t seconds = lease.length().seconds();
  const int32_t nanos = lease.length().nanos();
  if (nanos < 0 || nanos > 999'999'999 || seconds < kMinLeaseSeconds || seconds > kMaxLeaseSeconds ||
      (seconds == kMaxLeaseSeconds && nanos > 0)) {
    return Bad("lease.length: must be 60 seconds to 90 days");
  }
  if (lease.then() < v1::LEVEL_UNSPECIFIED || lease.then() >= level) {
    return Bad("lease.then: must be a lower level than the one ordered");
  }
  return absl::OkStatus();
}

absl::Status CheckIsolateAction(const v1::IsolateAction& action) {
  if (action.level() < v1::LEVEL_NO_LATERAL || action.level() > v1::LEVEL_DARK) {
    return Bad("level: must be no-lateral, essential, controller-only or dark (release opens a host)");
  }
  if (action.fallback() != v1::FALLBACK_HOLD && action.fallback() != v1::FALLBACK_STEP_DOWN) {
    return Bad("fallback: must be chosen, hold or step-down");  // ISO-4
  }
  if (action.has_profile()) {
    if (action.level() > v1::LEVEL_ESSENTIAL) {
      return Bad("profile: controller-only and dark have none; order essential, or leave the profile out");
    }
    CORDON_RETURN_IF_ERROR(CheckProfile(action.profile()));
  }
  if (action.has_lease()) CORDON_RETURN_IF_ERROR(CheckLease(action.lease(), action.level()));
  return CheckText("user_message", action.user_message(), kMaxUserMessageBytes);
}

absl::Status CheckTripwires(const v1::Tripwires& tripwires) {
  CORDON_RETURN_IF_ERROR(CheckAbsolute("canary_folders", tripwires.canary_folders(), kMaxCanaryFolders));
  if (tripwires.files() > kMaxTripwireFiles) return Bad(StrCat("files: at most ", kMaxTripwireFiles));
  if (tripwires.window_nanos() < 0 || tripwires.window_nanos() > kMaxTripwireWindow) {
    return Bad("window_nanos: must be from 0 (the default) to 5 minutes");
  }
  if (!tripwires.has_isolate()) return absl::OkStatus();
  const v1::SelfIsolation& isolate = tripwires.isolate();
  if (isolate.level() != v1::LEVEL_NO_LATERAL && isolate.level() != v1::LEVEL_ESSENTIAL) {
    return Bad("isolate.level: must be no-lateral or essential; more needs an operator");
  }
  if (!isolate.has_lease() || isolate.lease().length().seconds() > kMaxSelfLeaseSeconds) {
    return Bad("isolate.lease: required, at most 24 hours");
  }
  CORDON_RETURN_IF_ERROR(Annotate(CheckLease(isolate.lease(), isolate.level()), "isolate"));
  if (isolate.has_profile()) CORDON_RETURN_IF_ERROR(Annotate(CheckProfile(isolate.profile()), "isolate"));
  return Annotate(CheckText("user_message", isolate.user_message(), kMaxUserMessageBytes), "isolate");
}

absl::Status CheckPolicy(const v1::Policy& policy) {
  CORDON_RETURN_IF_ERROR(CheckAbsolute("watched_paths", policy.watched_paths(), kMaxPolicyPaths));
  CORDON_RETURN_IF_ERROR(CheckPatterns("excluded_paths", policy.excluded_paths(), kMaxPolicyPaths));
  CORDON_RETURN_IF_ERROR(CheckAbsolute("sensitive_paths", policy.sensitive_paths(), kMaxPolicyPaths));
  return Annotate(CheckTripwires(policy.tripwires()), "tripwires");
}

absl::Status CheckOrder(const v1::Order& order) {
  if (!IsUuid(order.order_id())) return Bad("order: order_id: not a UUID");
  const auto in_order = [](const absl::Status& status) { return Annotate(status, "order"); };
  // AUT-4: what this version does not know may be what limits the order, so the rest of it is not obeyed
  // alone.
  if (const auto unknown = FindUnknownField(order)) {
    return in_order(
        Bad(StrCat(*unknown, ": not known to this version; update it, or sign with an older cordonctl")));
  }
  if (!IsUuid(order.fleet_id())) return in_order(Bad("fleet_id: not a UUID"));
  CORDON_RETURN_IF_ERROR(in_order(CheckTarget(order.target())));
  CORDON_RETURN_IF_ERROR(in_order(CheckTimes(order)));
  if (order.reason().empty()) return in_order(Bad("reason: missing"));
  CORDON_RETURN_IF_ERROR(in_order(CheckText("reason", order.reason(), kMaxReasonBytes)));
  CORDON_RETURN_IF_ERROR(in_order(CheckText("incident", order.incident(), kMaxIncidentBytes)));
  return in_order(CheckAction(order));
}

std::string_view LaneOf(const v1::Order& order) {
  switch (order.action_case()) {
    case v1::Order::kIsolate:
    case v1::Order::kRelease:
      return kIsolationLane;
    case v1::Order::kScan:
    case v1::Order::kCancelScan:
    case v1::Order::kPauseScan:
      return kScanLane;
    case v1::Order::kPolicy:
      return kPolicyLane;
    case v1::Order::kTrust:
      return kTrustLane;
    case v1::Order::ACTION_NOT_SET:
      break;
  }
  return "";
}

v1::Threshold::ActionClass ActionClassOf(const v1::Order& order) {
  switch (order.action_case()) {
    case v1::Order::kIsolate:
      return order.isolate().level() >= v1::LEVEL_CONTROLLER_ONLY ? v1::Threshold::ACTION_CLASS_ISOLATE_HARD
                                                                  : v1::Threshold::ACTION_CLASS_ISOLATE;
    case v1::Order::kRelease:
      return v1::Threshold::ACTION_CLASS_ISOLATE;
    case v1::Order::kScan:
    case v1::Order::kCancelScan:
    case v1::Order::kPauseScan:
      return v1::Threshold::ACTION_CLASS_SCAN;
    case v1::Order::kPolicy:
      return v1::Threshold::ACTION_CLASS_POLICY;
    case v1::Order::kTrust:
      return v1::Threshold::ACTION_CLASS_TRUST;
    case v1::Order::ACTION_NOT_SET:
      break;
  }
  return v1::Threshold::ACTION_CLASS_UNSPECIFIED;
}

bool TargetMatches(const v1::Target& target, const HostTraits& host) {
  if (target.all()) return true;
  for (const v1::TargetHost& wanted : target.hosts()) {
    if (wanted.host_id() == host.host_id &&
        (wanted.name().empty() || SameNameIgnoringCase(wanted.name(), host.name))) {
      return true;
    }
  }
  if (!host.site.empty() && std::ranges::find(target.sites(), host.site) != target.sites().end()) return true;
  return std::ranges::any_of(target.labels(), [&](const v1::Label& wanted) {
    return std::ranges::any_of(host.labels, [&](const v1::Label& own) {
      return own.key() == wanted.key() && own.value() == wanted.value();
    });
  });
}

}  // namespace cordon
