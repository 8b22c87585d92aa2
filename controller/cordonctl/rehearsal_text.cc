#include "controller/cordonctl/rehearsal_text.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

constexpr size_t kMostSumsShown = 200;

std::string ProgramText(const v1::FlowForecast& flow) {
  return flow.executable().empty() ? "?" : flow.executable();
}

std::string RemoteText(const v1::FlowForecast& flow) {
  if (flow.remote_name().empty()) return flow.remote_address();
  return StrCat(flow.remote_address(), " (", flow.remote_name(), ")");
}

std::string PortText(const v1::FlowForecast& flow) {
  return StrCat(WordOf(flow.protocol()), "/", flow.port());
}

uint32_t CountStays(const v1::Rehearsal& rehearsal, bool stays) {
  return static_cast<uint32_t>(
      std::ranges::count_if(rehearsal.flows(), [&](const auto& flow) { return flow.stays() == stays; }));
}

std::string NotesText(const v1::Rehearsal& rehearsal, int64_t now_unix_nanos) {
  std::string text;
  if (rehearsal.left_out() > 0) StrAppend(&text, "  ", rehearsal.left_out(), " older ones are left out\n");
  if (rehearsal.history_since_unix_nanos() > 0) {
    StrAppend(&text, "  flows were kept since ", FormatTime(rehearsal.history_since_unix_nanos()), ", ",
              Ago(rehearsal.history_since_unix_nanos(), now_unix_nanos), "\n");
  }
  for (const std::string& note : rehearsal.notes()) StrAppend(&text, "  ", Printable(note), "\n");
  return text;
}

std::string HostText(const v1::RehearseResponse& answer, int64_t now_unix_nanos) {
  std::vector<const v1::FlowForecast*> flows;
  flows.reserve(static_cast<size_t>(answer.rehearsal().flows_size()));
  for (const v1::FlowForecast& flow : answer.rehearsal().flows()) flows.push_back(&flow);
  std::ranges::stable_sort(flows, {}, &v1::FlowForecast::stays);
  Table table({"WOULD", "PROGRAM", "WAY", "REMOTE", "PORT", "SEEN", "BECAUSE"});
  for (const v1::FlowForecast* flow : flows) {
    table.Add({flow->stays() ? "stay" : "BE CUT", ProgramText(*flow), WordOf(flow->direction()),
               RemoteText(*flow), PortText(*flow),
               flow->live() ? "open now" : Ago(flow->last_seen_unix_nanos(), now_unix_nanos),
               flow->because()});
  }
  return StrCat("\n", Printable(answer.host().facts().host_name()), ": ",
                Count(CountStays(answer.rehearsal(), false), "kind"), " of flow would be cut, ",
                CountStays(answer.rehearsal(), true), " would stay\n", flows.empty() ? "" : table.Text(),
                NotesText(answer.rehearsal(), now_unix_nanos));
}

// One kind of flow over all hosts. The peer is its name where there is one: addresses differ from site to
// site.
struct Sum {
  uint32_t cut_on = 0;
  uint32_t stays_on = 0;
  bool live = false;
  int64_t last_seen_unix_nanos = 0;
  std::string because;  // of one that is cut, else of one that stays
};
using SumKey = std::tuple<std::string, std::string, std::string, std::string>;  // program, way, remote, port

std::map<SumKey, Sum> SumUp(std::span<const v1::RehearseResponse> answers) {
  std::map<SumKey, Sum> sums;
  for (const v1::RehearseResponse& answer : answers) {
    std::map<SumKey, bool> stays_here;  // a host that loses one of several flows of the kind loses the kind
    for (const v1::FlowForecast& flow : answer.rehearsal().flows()) {
      const SumKey key(ProgramText(flow), WordOf(flow.direction()),
                       flow.remote_name().empty() ? flow.remote_address() : flow.remote_name(),
                       PortText(flow));
      Sum& sum = sums[key];
      sum.live = sum.live || flow.live();
      sum.last_seen_unix_nanos = std::max(sum.last_seen_unix_nanos, flow.last_seen_unix_nanos());
      if (sum.because.empty() || !flow.stays()) sum.because = flow.because();
      const auto [here, added] = stays_here.emplace(key, flow.stays());
      if (!added) here->second = here->second && flow.stays();
    }
    for (const auto& [key, stays] : stays_here) ++(stays ? sums[key].stays_on : sums[key].cut_on);
  }
  return sums;
}

std::string SumText(std::span<const v1::RehearseResponse> answers, int64_t now_unix_nanos) {
  const std::map<SumKey, Sum> sums = SumUp(answers);
  std::vector<std::pair<SumKey, Sum>> sorted(sums.begin(), sums.end());
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) {
    return std::tie(a.second.cut_on, a.second.stays_on) > std::tie(b.second.cut_on, b.second.stays_on);
  });
  Table table({"CUT ON", "STAYS ON", "PROGRAM", "WAY", "REMOTE", "PORT", "SEEN", "BECAUSE"});
  for (size_t at = 0; at < std::min(sorted.size(), kMostSumsShown); ++at) {
    const auto& [key, sum] = sorted[at];
    const auto& [program, way, remote, port] = key;
    table.Add({StrCat(sum.cut_on), StrCat(sum.stays_on), program, way, remote, port,
               sum.live ? "open now" : Ago(sum.last_seen_unix_nanos, now_unix_nanos), sum.because});
  }
  std::string text = StrCat("\n", table.Text());
  if (sorted.size() > kMostSumsShown) {
    StrAppend(&text, "  ", sorted.size() - kMostSumsShown, " more kinds are left out here: see -o json\n");
  }
  return text;
}

std::string HostsText(std::span<const v1::RehearseResponse> answers) {
  Table table({"HOST", "SITE", "WOULD BE CUT", "WOULD STAY"});
  for (const v1::RehearseResponse& answer : answers) {
    const v1::Host& host = answer.host();
    if (!answer.answered()) {
      table.Add({host.facts().host_name(), host.site(), "NO ANSWER", ""});
      table.AddNote(answer.error());
      continue;
    }
    table.Add({host.facts().host_name(), host.site(), StrCat(CountStays(answer.rehearsal(), false)),
               StrCat(CountStays(answer.rehearsal(), true))});
    for (const std::string& note : answer.rehearsal().notes()) table.AddNote(note);
  }
  return StrCat("\n", table.Text());
}

}  // namespace

std::string RehearsalText(std::span<const v1::RehearseResponse> answers, int64_t now_unix_nanos) {
  if (answers.size() == 1 && answers[0].answered()) return HostText(answers[0], now_unix_nanos);
  const bool any = std::ranges::any_of(answers, &v1::RehearseResponse::answered);
  return StrCat(any ? SumText(answers, now_unix_nanos) : "", HostsText(answers));
}

}  // namespace cordon::ctl
