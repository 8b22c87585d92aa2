#include "agent/app/status_text.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <map>

#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"

namespace cordon::agent {
namespace {

constexpr int kNameWidth = 14;

void Line(std::string* out, std::string_view name, std::string_view text) {
  StrAppend(out, fmt::format("{:<{}}{}\n", name, kNameWidth, Printable(text)));
}

std::string LevelWord(v1::Level level) {
  return level == v1::LEVEL_UNSPECIFIED ? "unknown" : WordOf(level);
}

std::string Ago(int64_t then, int64_t now) {
  return then == 0 ? "never" : StrCat(FormatDuration(std::max<int64_t>(now - then, 0)), " ago");
}

// "7 blocked, 1 passed, 2 not-possible"; of those that are to pass, or of those that are not.
std::string ProbesInWords(const v1::Receipt& receipt, bool expected_open) {
  std::map<std::string, int> counts;
  for (const v1::Probe& probe : receipt.probes())
    if (probe.expected_open() == expected_open) ++counts[WordOf(probe.outcome())];
  std::string text;
  for (const auto& [word, count] : counts) StrAppend(&text, text.empty() ? "" : ", ", count, " ", word);
  return text;
}

void Isolation(std::string* out, const v1::Receipt& receipt) {
  Line(out, "isolation", StrCat(LevelWord(receipt.intended_level()), ", ", WordOf(receipt.containment())));
  if (receipt.enforced_level() != receipt.intended_level())
    Line(out, "  enforced", LevelWord(receipt.enforced_level()));
  for (const std::string& reason : receipt.reasons()) Line(out, "  because", reason);
  if (!receipt.profile_name().empty()) Line(out, "  profile", receipt.profile_name());
  if (receipt.lease_remaining_nanos() > 0)
    Line(out, "  ends in", FormatDuration(receipt.lease_remaining_nanos()));
  if (receipt.dropped_packets() > 0) Line(out, "  dropped", StrCat(receipt.dropped_packets(), " packets"));
  for (const bool expected_open : {false, true}) {
    const std::string words = ProbesInWords(receipt, expected_open);
    if (!words.empty()) Line(out, expected_open ? "  allowed" : "  forbidden", words);
  }
  if (!receipt.order_id().empty()) Line(out, "  order", receipt.order_id());
}

void LinkLines(std::string* out, const v1::GetStatusResponse& status, int64_t now) {
  const std::string since = status.connected_since_unix_nanos() == 0
                                ? ""
                                : StrCat(", for ", FormatDuration(now - status.connected_since_unix_nanos()));
  Line(out, "controller",
       StrCat(status.connected() ? "connected to " : "NOT connected to ", status.controller(), since));
  if (!status.connected() && !status.last_link_error().empty())
    Line(out, "  because", status.last_link_error());
  if (const int64_t until = status.health().certificate_not_after_unix_nanos(); until != 0) {
    Line(out, "  certificate", StrCat(until < now ? "EXPIRED at " : "valid until ", FormatTime(until)));
  }
}

void Parts(std::string* out, const v1::HealthReport& health, int64_t now) {
  for (const v1::PartHealth& part : health.parts()) {
    std::string text =
        StrCat(part.serving() ? "ok" : "NOT SERVING", ", proven ", Ago(part.last_proof_unix_nanos(), now));
    if (!part.detail().empty()) StrAppend(&text, ": ", part.detail());
    Line(out, StrCat("  ", part.part().starts_with("cordon.") ? part.part().substr(7) : part.part()), text);
  }
}

void SpoolLine(std::string* out, const v1::SpoolHealth& spool, int64_t now) {
  std::string text = StrCat(spool.events(), " events, ", FormatBytes(spool.bytes()), " of ",
                            FormatBytes(spool.limit_bytes()));
  if (spool.oldest_unix_nanos() != 0) StrAppend(&text, ", oldest from ", Ago(spool.oldest_unix_nanos(), now));
  Line(out, "spool", text);
}

}  // namespace

std::string StatusText(const v1::GetStatusResponse& status, int64_t now_unix_nanos) {
  const v1::HealthReport& health = status.health();
  std::string out;
  Line(&out, "host", StrCat(status.host_name(), ", site ", status.site(), " (", status.host_id(), ")"));
  Isolation(&out, health.receipt());
  LinkLines(&out, status, now_unix_nanos);
  Line(&out, "parts",
       std::ranges::all_of(health.parts(), &v1::PartHealth::serving) ? "all serving" : "see below");
  Parts(&out, health, now_unix_nanos);
  SpoolLine(&out, health.spool(), now_unix_nanos);
  const v1::LossCounters& lost = health.losses();
  Line(&out, "lost",
       StrCat(lost.kernel_buffer(), " in the kernel, ", lost.queue_full(), " in the agent, ",
              lost.spool_dropped_events(), " from the spool"));
  Line(&out, "uses",
       StrCat(FormatBytes(health.resources().resident_bytes()), " memory, ",
              FormatDuration(health.resources().cpu_nanos()), " CPU in ",
              FormatDuration(health.resources().uptime_nanos())));
  for (const std::string& notice : health.notices()) Line(&out, "notice", notice);
  return out;
}

std::string StatusJson(const v1::GetStatusResponse& status) {
  return boost::json::serialize(ToJson(status));
}

}  // namespace cordon::agent
