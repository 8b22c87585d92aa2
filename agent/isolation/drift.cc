#include "agent/isolation/drift.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using platform::RulesetChange;

constexpr size_t kMostDifferences = 100;
constexpr const char* kUndone =
    "the rules were changed, and were as they should be again when they were read back";

void SetProcess(const RulesetChange& change, const ProcessDirectory* processes, v1::RulesDrift* drift) {
  drift->set_pid(change.pid);
  drift->set_process_name(change.process_name);
  drift->set_executable(EscapeToUtf8(change.executable));
  if (change.pid == 0 || processes == nullptr) return;
  const std::optional<ProcessRef> process = processes->Find(change.pid, change.boot_nanos);
  if (!process.has_value()) return;
  drift->set_process_guid(process->guid);
  if (!process->executable.empty()) drift->set_executable(process->executable);
}

// Whom to name: each process once; nobody, where the system named none. Lost notifications count only when
// there is something to explain.
std::vector<RulesetChange> Culprits(const std::vector<RulesetChange>& changes, bool differs) {
  std::vector<RulesetChange> culprits;
  for (const RulesetChange& change : changes) {
    if (!change.of_cordon) continue;
    const bool known = std::any_of(culprits.begin(), culprits.end(), [&](const RulesetChange& other) {
      return other.pid == change.pid && other.process_name == change.process_name;
    });
    if (!known) culprits.push_back(change);
  }
  if (culprits.empty() && differs) {
    const auto missed = std::find_if(changes.begin(), changes.end(),
                                     [](const RulesetChange& change) { return change.missed; });
    RulesetChange nobody;
    if (missed != changes.end()) nobody = *missed;
    if (missed == changes.end() && !changes.empty()) nobody.boot_nanos = changes.front().boot_nanos;
    culprits.push_back(nobody);
  }
  return culprits;
}

v1::Event EventOf(const RulesetChange& culprit, const DriftFindings& findings,
                  const ProcessDirectory* processes) {
  v1::Event event;
  v1::RulesDrift& drift = *event.mutable_rules_drift();
  SetProcess(culprit, processes, &drift);
  if (culprit.boot_nanos != 0 && findings.repaired_boot_nanos > culprit.boot_nanos) {
    drift.set_stood_nanos(findings.repaired_boot_nanos - culprit.boot_nanos);
  }
  drift.set_repaired(findings.repair.ok());
  drift.set_repair_error(std::string(Message(findings.repair)));
  return event;
}

}  // namespace

std::vector<v1::Event> DriftEvents(const std::vector<RulesetChange>& changes, const DriftFindings& findings,
                                   const ProcessDirectory* processes) {
  const std::vector<RulesetChange> culprits = Culprits(changes, !findings.differences.empty());
  std::vector<v1::Event> events;
  for (const RulesetChange& culprit : culprits) {
    if (events.size() == kMostDriftEvents) break;
    v1::RulesDrift& drift = *events.emplace_back(EventOf(culprit, findings, processes)).mutable_rules_drift();
    if (events.size() > 1) {
      drift.add_differences("changed in the same moment as by the process before: see there what differed");
      continue;
    }
    for (const std::string& difference : findings.differences) {
      if (drift.differences_size() < static_cast<int>(kMostDifferences)) drift.add_differences(difference);
    }
    if (findings.differences.empty()) drift.add_differences(kUndone);
    drift.set_packets_passed(findings.packets_passed.value_or(0));
    drift.set_packets_unknown(!findings.packets_passed.has_value());
  }
  if (culprits.size() > events.size()) {
    v1::RulesDrift& rest = *events.emplace_back().mutable_rules_drift();
    rest.set_repaired(findings.repair.ok());
    rest.add_differences(
        StrCat(culprits.size() - kMostDriftEvents, " more processes changed the rules in the same moment"));
  }
  return events;
}

DriftRepair::Outcome DriftRepair::Repair(const platform::FilterPolicy& policy,
                                         std::vector<RulesetChange> changes) {
  Outcome outcome;
  DriftFindings findings;
  const auto readback = parts_.filter->ReadBack(policy);
  if (!readback.ok()) {
    findings.differences.push_back(StrCat("the rules could not be read back: ", Message(readback.status())));
  } else if (!readback->matches) {
    findings.differences = readback->differences;
    outcome.dropped_packets = readback->dropped_packets;
  }
  outcome.drifted = !findings.differences.empty();
  if (outcome.drifted) findings.repair = parts_.filter->Apply(policy);
  findings.repaired_boot_nanos = parts_.clock->BootNanos();
  outcome.repair = findings.repair;
  if (parts_.leaks != nullptr) {
    const absl::StatusOr<uint64_t> passed = parts_.leaks->Take(policy);
    if (passed.ok()) findings.packets_passed = *passed;
  }
  for (v1::Event& event : DriftEvents(changes, findings, parts_.processes)) {
    const v1::RulesDrift& drift = event.rules_drift();
    spdlog::warn("isolation: rules changed by {} (pid {}): {}",
                 drift.executable().empty() ? Printable(drift.process_name()) : Printable(drift.executable()),
                 drift.pid(), Printable(drift.differences(0)));
    parts_.events->Emit(v1::EVENT_CLASS_CONTROL, parts_.clock->WallNanos(), std::move(event));
  }
  if (!outcome.drifted) return outcome;
  outcome.found = findings.differences.front();
  if (findings.differences.size() > 1) {
    StrAppend(&outcome.found, " (and ", findings.differences.size() - 1, " more)");
  }
  return outcome;
}

}  // namespace cordon::agent
