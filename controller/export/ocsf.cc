#include "controller/export/ocsf.h"

#include <string>
#include <utility>

#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/wire/json.h"
#include "controller/export/ocsf_line.h"

namespace cordon::controller {
namespace {

using namespace ocsf;  // NOLINT(google-build-using-namespace): the other half of this file

int FileType(v1::FileState::Type type) {
  switch (type) {
    case v1::FileState::TYPE_FILE:
      return 1;
    case v1::FileState::TYPE_DIRECTORY:
      return 2;
    case v1::FileState::TYPE_SYMLINK:
      return 7;
    case v1::FileState::TYPE_OTHER:
    case v1::FileState::TYPE_REGISTRY_VALUE:
      return kOther;
    default:
      return 0;
  }
}

object File(std::string_view path, const v1::FileState* state) {
  object file = {
      {"name", BaseName(path)}, {"path", path}, {"type_id", state == nullptr ? 0 : FileType(state->type())}};
  if (state == nullptr) return file;
  file["size"] = state->size();
  file["modified_time"] = Millis(state->mtime_unix_nanos());
  if (state->type() == v1::FileState::TYPE_OTHER) file["type"] = "Other";
  if (state->type() == v1::FileState::TYPE_REGISTRY_VALUE) file["type"] = "Registry value";
  if (!state->sha256().empty()) {
    file["hashes"] =
        array{object{{"algorithm_id", 3}, {"algorithm", "SHA-256"}, {"value", HexEncode(state->sha256())}}};
  }
  return file;
}

int FileActivity(v1::FileChanged::Change change) {
  switch (change) {
    case v1::FileChanged::CHANGE_CREATED:
      return 1;
    case v1::FileChanged::CHANGE_READ:
      return 2;
    case v1::FileChanged::CHANGE_MODIFIED:
      return 3;
    case v1::FileChanged::CHANGE_DELETED:
      return 4;
    case v1::FileChanged::CHANGE_RENAMED:
      return 5;
    case v1::FileChanged::CHANGE_ATTRIBUTES:
      return 6;
    default:
      return kOther;
  }
}

Line Changed(const v1::FileChanged& changed) {
  Line line{.of = Class::kFileActivity, .activity = FileActivity(changed.change())};
  if (line.activity == kOther) line.activity_name = WordOf(changed.change());
  object process = ProcessOf(changed.pid(), changed.process_guid());
  if (!changed.executable().empty()) process["file"] = ProgramFile(changed.executable());
  line.attributes["actor"] = ActorOf(std::move(process));
  const v1::FileState* const state = changed.has_state() ? &changed.state() : nullptr;
  if (changed.old_path().empty()) {
    line.attributes["file"] = File(changed.path(), state);
  } else {
    line.attributes["file"] = File(changed.old_path(), nullptr);
    line.attributes["file_result"] = File(changed.path(), state);
  }
  return line;
}

Line Remediated(const v1::Receipt& receipt, const std::string& cause) {
  const bool released = receipt.intended_level() <= v1::LEVEL_OBSERVE;
  Line line{.of = Class::kRemediationActivity, .activity = released ? 3 : 1};
  constexpr int kPartial = 4;
  switch (receipt.containment()) {
    case v1::CONTAINMENT_CONTAINED:
      line.status = kSuccess;
      break;
    case v1::CONTAINMENT_OPEN:
      line.status = released ? kSuccess : kFailure;
      break;
    default:
      line.status = kPartial;
  }
  line.severity = line.status == kSuccess ? Severity::kInformational : Severity::kHigh;
  line.attributes["command_uid"] = receipt.order_id().empty() ? cause : receipt.order_id();
  return line;
}

Line Scanned(const v1::OrderOutcome& outcome) {
  const v1::ScanProgress& progress = outcome.progress();
  Line line{.of = Class::kScanActivity, .activity = 1};
  switch (progress.state()) {
    case v1::ScanProgress::STATE_DONE:
      line.activity = 2;
      break;
    case v1::ScanProgress::STATE_CANCELLED:
      line.activity = 3;
      break;
    case v1::ScanProgress::STATE_FAILED:
      line.activity = 6;
      line.severity = Severity::kMedium;
      break;
    case v1::ScanProgress::STATE_PAUSED:
      line.activity = 7;
      break;
    default:
      break;
  }
  line.attributes["command_uid"] = outcome.order_id();
  line.attributes["scan"] = object{{"uid", outcome.order_id()}, {"type_id", 1}};
  line.attributes["num_files"] = progress.files_done();
  line.attributes["num_detections"] = progress.findings();
  line.attributes["num_skipped_items"] = progress.not_scanned_count();
  line.attributes["duration"] = Millis(progress.elapsed_nanos());
  return line;
}

Line Lifecycle(int activity, std::string name) {
  Line line{.activity = activity, .activity_name = std::move(name)};
  line.attributes["app"] = object{{"name", "cordon-agent"}, {"vendor_name", "Cordon"}};
  return line;
}

Line Outcome(const v1::OrderOutcome& outcome) {
  if (outcome.has_progress()) return Scanned(outcome);
  if (outcome.has_receipt()) return Remediated(outcome.receipt(), outcome.order_id());
  Line line = Lifecycle(kOther, StrCat("Order ", WordOf(outcome.state())));
  line.status = outcome.state() == v1::OrderOutcome::STATE_DONE ? kSuccess : kFailure;
  return line;
}

// `uid` of a finding: the same for the same event, whoever exports it and whenever.
Line Detected(const v1::QueryEventsResponse& event, std::string title, Severity severity) {
  Line line{.of = Class::kDetectionFinding, .activity = 1, .severity = severity, .status = 1};
  line.attributes["finding_info"] = object{{"uid", StrCat(event.host_id(), "/", event.sequence())},
                                           {"title", std::move(title)},
                                           {"created_time", Millis(event.time_unix_nanos())}};
  line.attributes["is_alert"] = true;
  return line;
}

Line Found(const v1::QueryEventsResponse& event) {
  const v1::Finding& finding = event.event().finding();
  const bool indicator = finding.kind() == v1::Finding::KIND_INDICATOR;
  Line line = Detected(event, StrCat(WordOf(finding.kind()), ": ", finding.path()),
                       indicator ? Severity::kHigh : Severity::kMedium);
  line.attributes["finding_info"].as_object()["desc"] = finding.detail();
  const v1::FileState* const state = finding.has_after()    ? &finding.after()
                                     : finding.has_before() ? &finding.before()
                                                            : nullptr;
  line.attributes["evidences"] = array{object{{"file", File(finding.path(), state)}}};
  return line;
}

Line Drifted(const v1::QueryEventsResponse& event) {
  const v1::RulesDrift& drift = event.event().rules_drift();
  Line line = Detected(event, "Isolation rules were changed by another program", Severity::kHigh);
  object process = ProcessOf(drift.pid(), drift.process_guid());
  if (!drift.process_name().empty()) process["name"] = drift.process_name();
  if (!process.empty()) line.attributes["evidences"] = array{object{{"process", std::move(process)}}};
  return line;
}

Line Unlocking(const v1::QueryEventsResponse& event) {
  const v1::UnlockAttempt& attempt = event.event().unlock_attempt();
  switch (attempt.result()) {
    case v1::UnlockAttempt::RESULT_WRONG_CODE:
    case v1::UnlockAttempt::RESULT_TOO_SOON:
      return Detected(event, "A wrong unlock code was tried", Severity::kMedium);
    case v1::UnlockAttempt::RESULT_UNLOCKED: {
      Line line{.of = Class::kRemediationActivity, .activity = 3, .severity = Severity::kMedium};
      line.status = kSuccess;
      line.attributes["command_uid"] = attempt.challenge();
      return line;
    }
    default:
      return Lifecycle(kOther, StrCat("Unlock ", WordOf(attempt.result())));
  }
}

Line AgentState(const v1::AgentLifecycle& lifecycle) {
  switch (lifecycle.state()) {
    case v1::AgentLifecycle::STATE_ENROLLED:
      return Lifecycle(1, "");
    case v1::AgentLifecycle::STATE_REMOVED:
      return Lifecycle(2, "");
    case v1::AgentLifecycle::STATE_STARTED:
      return Lifecycle(3, "");
    case v1::AgentLifecycle::STATE_STOPPING:
      return Lifecycle(4, "");
    default:
      return Lifecycle(kOther, WordOf(lifecycle.state()));
  }
}

Line LineFor(const v1::QueryEventsResponse& event) {
  const v1::Event& what = event.event();
  switch (what.kind_case()) {
    case v1::Event::kProcessForked:
      return Forked(what.process_forked());
    case v1::Event::kProcessStarted:
      return Started(what.process_started());
    case v1::Event::kProcessEnded:
      return Ended(what.process_ended());
    case v1::Event::kPrivilegeChanged:
      return PrivilegeChanged(what.privilege_changed());
    case v1::Event::kProcessTraced:
      return Traced(what.process_traced());
    case v1::Event::kModuleLoaded:
      return ModuleLoaded(what.module_loaded());
    case v1::Event::kProcessBurst:
      return Lifecycle(kOther, "Burst of processes");
    case v1::Event::kConnection:
      return Connected(what.connection(), event.host_name());
    case v1::Event::kFileChanged:
      return Changed(what.file_changed());
    case v1::Event::kIsolationChanged:
      return Remediated(what.isolation_changed().receipt(), what.isolation_changed().cause());
    case v1::Event::kOrderOutcome:
      return Outcome(what.order_outcome());
    case v1::Event::kFinding:
      return Found(event);
    case v1::Event::kRulesDrift:
      return Drifted(event);
    case v1::Event::kAuditForked:
      return Detected(event, "The controller's audit log was forked or rolled back", Severity::kHigh);
    case v1::Event::kUnlockAttempt:
      return Unlocking(event);
    case v1::Event::kAgentLifecycle:
      return AgentState(what.agent_lifecycle());
    case v1::Event::kPartChanged: {
      Line line = Lifecycle(kOther, "Health changed");
      line.status = what.part_changed().serving() ? kSuccess : kFailure;
      line.severity = what.part_changed().serving() ? Severity::kInformational : Severity::kMedium;
      return line;
    }
    case v1::Event::kGap: {  // TEL-1: whoever reads the export learns that it is not whole
      Line line = Lifecycle(kOther, "Events lost");
      line.status = kFailure;
      line.severity = Severity::kMedium;
      return line;
    }
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return Lifecycle(kOther, "Unknown to this version");
}

// The field of event.proto by its own name: nothing of the event is left out of the line.
object Unmapped(const v1::QueryEventsResponse& event) {
  object all = ToJson(event.event());
  all.erase("time_offset_nanos");
  all["event_class"] = WordOf(event.event_class());
  return all;
}

}  // namespace

object ToOcsf(const v1::QueryEventsResponse& event, std::string_view product_version) {
  return WriteLine(LineFor(event), event.time_unix_nanos(),
                   {{"uid", StrCat(event.host_id(), "/", event.sequence())}, {"sequence", event.sequence()}},
                   {{"uid", event.host_id()}, {"hostname", event.host_name()}}, Unmapped(event),
                   product_version);
}

}  // namespace cordon::controller
