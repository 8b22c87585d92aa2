#include "controller/cordonctl/event_text.h"

#include <algorithm>
#include <bit>

#include "common/base/address_bytes.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

constexpr size_t kMaxCommandShown = 400;

std::string CommandLine(const v1::ProcessStarted& started) {
  std::string line;
  for (const std::string& arg : started.argv()) {
    const bool plain = !arg.empty() && arg.find_first_of(" \t\n'\"\\") == std::string::npos;
    StrAppend(&line, line.empty() ? "" : " ", plain ? arg : StrCat("'", arg, "'"));
    if (line.size() > kMaxCommandShown) return line.substr(0, kMaxCommandShown) + " …";
  }
  return line.empty() ? started.executable() : line;
}

std::string Capabilities(int number) {
  return StrCat(number, number == 1 ? " capability" : " capabilities");
}

std::string Describe(const v1::ProcessStarted& started) {
  std::string text = StrCat(
      started.from_snapshot() ? "process was running: " : "process started: ", CommandLine(started), "  [",
      started.executable(), "] pid ", started.pid(), ", by ", started.parent_pid(), ", uid ", started.uid());
  if (!started.container_id().empty()) StrAppend(&text, ", container ", started.container_id().substr(0, 12));
  if (started.from_memory()) text += ", its file has no name on any disk";
  return text;
}

std::string Describe(const v1::ProcessEnded& ended) {
  const std::string how = ended.signal() != 0 ? StrCat("killed by signal ", ended.signal())
                                              : StrCat("exit status ", ended.exit_code());
  return StrCat("process ended: pid ", ended.pid(), ", ", how);
}

// "from 1000 to 0"; empty when nothing changed.
std::string FromTo(std::string_view what, uint64_t before, uint64_t after) {
  return before == after ? "" : StrCat(", ", what, " from ", before, " to ", after);
}

std::string Describe(const v1::PrivilegeChanged& changed) {
  std::string text = StrCat("privileges changed: pid ", changed.pid());
  StrAppend(&text, FromTo("uid", changed.uid_before(), changed.uid_after()));
  StrAppend(&text, FromTo("gid", changed.gid_before(), changed.gid_after()));
  const uint64_t gained = changed.capabilities_after() & ~changed.capabilities_before();
  const uint64_t lost = changed.capabilities_before() & ~changed.capabilities_after();
  if (gained != 0) StrAppend(&text, ", gained ", Capabilities(std::popcount(gained)));
  if (lost != 0) StrAppend(&text, ", gave up ", Capabilities(std::popcount(lost)));
  return text;
}

std::string Describe(const v1::ProcessTraced& traced) {
  return StrCat("process traced: pid ", traced.target_pid(), " by pid ", traced.pid());
}

std::string Describe(const v1::ModuleLoaded& loaded) {
  return StrCat("kernel module loaded: ", loaded.name(), " by pid ", loaded.pid());
}

std::string Describe(const v1::ProcessBurst& burst) {
  std::string text =
      StrCat("burst of processes in ", burst.cgroup(), ": ", burst.started(), " started, ", burst.forked(),
             " only forked, ", burst.ended(), " ended, ", burst.failed(), " of them with an error, from ",
             FormatTime(burst.first_time_unix_nanos()), " to ", FormatTime(burst.last_time_unix_nanos()));
  constexpr int kMostShown = 3;
  for (int i = 0; i < std::min(burst.programs_size(), kMostShown); ++i) {
    StrAppend(&text, i == 0 ? ": " : ", ", burst.programs(i).executable(), " (", burst.programs(i).started(),
              ")");
  }
  if (burst.programs_size() > kMostShown) text += ", …";
  return text;
}

std::string Describe(const v1::Connection& connection) {
  const bool in = connection.direction() == v1::Connection::DIRECTION_IN;
  const auto address = AddressOfBytes(connection.remote_address());
  std::string peer = address ? address->to_string() : "an unknown address";
  if (!connection.remote_name().empty()) peer = StrCat(connection.remote_name(), " (", peer, ")");
  std::string text =
      StrCat(in ? "connection from " : "connection to ", peer, in ? " to port " : " port ", connection.port(),
             connection.protocol() == 17 ? " UDP" : " TCP", ", ",
             connection.executable().empty() ? "by an unknown program" : connection.executable());
  if (connection.pid() != 0) StrAppend(&text, " pid ", connection.pid());
  if (connection.times() > 1) StrAppend(&text, ", ", connection.times(), " times");
  return text;
}

std::string Describe(const v1::FileChanged& changed) {
  std::string text = StrCat("file ", WordOf(changed.change()), ": ");
  if (!changed.old_path().empty()) StrAppend(&text, changed.old_path(), " -> ");
  StrAppend(&text, changed.path());
  if (changed.has_state() && changed.state().type() == v1::FileState::TYPE_FILE) {
    StrAppend(&text, " (", FormatBytes(changed.state().size()), ")");
  }
  if (changed.state().type() == v1::FileState::TYPE_REGISTRY_VALUE)
    StrAppend(&text, " = ", changed.state().link_target());
  if (!changed.executable().empty()) {
    StrAppend(&text, "  by ", changed.executable(), " pid ", changed.pid());
  } else {
    StrAppend(
        &text, "  by an unknown process",
        changed.process_unknown_reason().empty() ? "" : StrCat(" (", changed.process_unknown_reason(), ")"));
  }
  if (changed.repeats() > 1) StrAppend(&text, ", ", changed.repeats(), " times");
  return text;
}

std::string CauseInWords(v1::Gap::Cause cause) {
  switch (cause) {
    case v1::Gap::CAUSE_KERNEL_BUFFER_FULL:
      return "the kernel's buffer was full";
    case v1::Gap::CAUSE_SPOOL_FULL:
      return "the spool was full";
    case v1::Gap::CAUSE_SPOOL_AGE:
      return "they waited too long in the spool";
    case v1::Gap::CAUSE_AGENT_STOPPED_UNCLEANLY:
      return "the agent was killed or crashed";
    case v1::Gap::CAUSE_SENSOR_DOWN:
      return "a sensor did not run";
    case v1::Gap::CAUSE_STATE_DAMAGED:
      return "the state database was damaged and set aside";
    case v1::Gap::CAUSE_QUEUE_FULL:
      return "a queue inside the agent was full";
    case v1::Gap::CAUSE_AGENT_NOT_RUNNING:
      return "the agent did not run";
    case v1::Gap::CAUSE_FALLBACK_SENSOR:
      return "a lesser sensor is in use";
    default:
      return WordOf(cause);
  }
}

std::string Describe(const v1::Gap& gap) {
  const std::string kind =
      gap.event_class() == v1::EVENT_CLASS_UNSPECIFIED ? "" : StrCat(WordOf(gap.event_class()), " ");
  const std::string count = gap.count_unknown()    ? StrCat("an unknown number of ", kind, "events")
                            : gap.count_is_bound() ? StrCat("at most ", Count(gap.count(), kind + "event"))
                                                   : Count(gap.count(), kind + "event");
  std::string text = StrCat("GAP: ", count, " lost, because ", CauseInWords(gap.cause()));
  if (gap.first_time_unix_nanos() != 0) {
    StrAppend(&text, ", from ", FormatTime(gap.first_time_unix_nanos()), " to ",
              FormatTime(gap.last_time_unix_nanos()));
  }
  if (!gap.detail().empty()) StrAppend(&text, ": ", gap.detail());
  return text;
}

std::string Describe(const v1::OrderOutcome& outcome) {
  std::string text = StrCat("order ", outcome.order_id(), " ", WordOf(outcome.state()));
  if (!outcome.message().empty()) StrAppend(&text, ": ", outcome.message());
  if (outcome.has_receipt()) StrAppend(&text, ": ", DescribeReceipt(outcome.receipt()));
  if (outcome.has_progress()) {
    StrAppend(&text, ": ", outcome.progress().files_done(), " files, ", outcome.progress().findings(),
              " findings");
  }
  return text;
}

std::string Describe(const v1::Finding& finding) {
  std::string text = StrCat("finding, ", WordOf(finding.kind()), ": ", finding.path());
  if (!finding.detail().empty()) StrAppend(&text, " (", finding.detail(), ")");
  if (!finding.executable().empty()) StrAppend(&text, "  by ", finding.executable(), " pid ", finding.pid());
  return text;
}

std::string Describe(const v1::AgentLifecycle& lifecycle) {
  std::string text = StrCat("agent ", WordOf(lifecycle.state()));
  if (!lifecycle.agent_version().empty()) StrAppend(&text, ", version ", lifecycle.agent_version());
  if (!lifecycle.detail().empty()) StrAppend(&text, ": ", lifecycle.detail());
  return text;
}

std::string Describe(const v1::PartChanged& changed) {
  std::string text = StrCat("part ", changed.part(), changed.serving() ? " serves" : " does NOT serve");
  if (!changed.reason().empty()) StrAppend(&text, ": ", changed.reason());
  return text;
}

std::string Describe(const v1::RulesDrift& drift) {
  std::string text = "isolation rules changed by ";
  if (drift.pid() == 0 && drift.process_name().empty()) {
    text += "an unknown process";
  } else {
    StrAppend(&text, drift.executable().empty() ? drift.process_name() : drift.executable(), " pid ",
              drift.pid());
  }
  if (drift.differences_size() > 0) StrAppend(&text, ": ", drift.differences(0));
  if (drift.differences_size() > 1) StrAppend(&text, " (and ", drift.differences_size() - 1, " more)");
  if (drift.repaired()) {
    StrAppend(&text, "; put right", drift.stood_nanos() > 0 ? " after " : "",
              drift.stood_nanos() > 0 ? FormatDuration(drift.stood_nanos()) : "");
  } else {
    StrAppend(&text, "; NOT put right: ", drift.repair_error());
  }
  if (drift.packets_unknown()) {
    text += "; how many forbidden packets passed is not known";
  } else {
    StrAppend(&text, "; ", Count(drift.packets_passed(), "forbidden packet"), " passed");
  }
  return text;
}

std::string Describe(const v1::UnlockAttempt& attempt) {
  const std::string what = StrCat(WordOf(attempt.level()), " for ", FormatDuration(attempt.length_nanos()));
  switch (attempt.result()) {
    case v1::UnlockAttempt::RESULT_CHALLENGE_SHOWN:
      return StrCat("unlock: a challenge for ", what, " was shown on the host");
    case v1::UnlockAttempt::RESULT_WRONG_CODE:
      return StrCat("unlock: wrong code, ", attempt.wrong_codes(), " in a row",
                    attempt.detail().empty() ? "" : StrCat(" (", attempt.detail(), ")"));
    case v1::UnlockAttempt::RESULT_TOO_SOON:
      return "unlock: a code came too soon after a wrong one and was not looked at";
    case v1::UnlockAttempt::RESULT_UNLOCKED:
      return StrCat("unlocked by phone to ", what, ", with a code of operator ", attempt.operator_id());
    case v1::UnlockAttempt::RESULT_ENDED:
      return StrCat("unlock ended: ", attempt.detail());
    default:
      return StrCat("unlock: ", WordOf(attempt.result()));
  }
}

std::string InWords(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProcessForked:
      return StrCat("process forked: pid ", event.process_forked().pid());
    case v1::Event::kProcessStarted:
      return Describe(event.process_started());
    case v1::Event::kProcessEnded:
      return Describe(event.process_ended());
    case v1::Event::kPrivilegeChanged:
      return Describe(event.privilege_changed());
    case v1::Event::kProcessTraced:
      return Describe(event.process_traced());
    case v1::Event::kModuleLoaded:
      return Describe(event.module_loaded());
    case v1::Event::kProcessBurst:
      return Describe(event.process_burst());
    case v1::Event::kConnection:
      return Describe(event.connection());
    case v1::Event::kFileChanged:
      return Describe(event.file_changed());
    case v1::Event::kGap:
      return Describe(event.gap());
    case v1::Event::kIsolationChanged:
      return StrCat("isolation: ", DescribeReceipt(event.isolation_changed().receipt()), "  (",
                    event.isolation_changed().cause(), ")");
    case v1::Event::kOrderOutcome:
      return Describe(event.order_outcome());
    case v1::Event::kFinding:
      return Describe(event.finding());
    case v1::Event::kAgentLifecycle:
      return Describe(event.agent_lifecycle());
    case v1::Event::kPartChanged:
      return Describe(event.part_changed());
    case v1::Event::kRulesDrift:
      return Describe(event.rules_drift());
    case v1::Event::kUnlockAttempt:
      return Describe(event.unlock_attempt());
    case v1::Event::kAuditForked:
      return StrCat("refused order ", event.audit_forked().order_id(),
                    ": the controller's audit log is not the one that ",
                    "this host has seen: ", event.audit_forked().detail());
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return "an event of a kind that this version does not know";
}

}  // namespace

std::string DescribeEvent(const v1::Event& event) {
  return Printable(InWords(event));
}

std::string EventKind(const v1::Event& event) {
  const auto* const field =
      event.GetReflection()->GetOneofFieldDescriptor(event, event.GetDescriptor()->FindOneofByName("kind"));
  return field == nullptr ? "" : field->name();
}

boost::json::object EventJson(const v1::QueryEventsResponse& event) {
  const std::string kind = EventKind(event.event());
  boost::json::object line = {{"host_id", event.host_id()},
                              {"host", event.host_name()},
                              {"sequence", event.sequence()},
                              {"time", FormatTime(event.time_unix_nanos())},
                              {"time_unix_nanos", event.time_unix_nanos()},
                              {"class", WordOf(event.event_class())},
                              {"kind", kind}};
  if (!kind.empty()) line[kind] = ToJson(event.event()).at(kind);
  return line;
}

}  // namespace cordon::ctl
