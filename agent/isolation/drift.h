#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/process_directory.h"
#include "common/base/clock.h"
#include "platform/api/leak_counter.h"
#include "platform/api/packet_filter.h"
#include "platform/api/ruleset_watcher.h"

namespace cordon::agent {

// What became of rules that somebody else had changed.
struct DriftFindings {
  std::vector<std::string> differences;  // empty: they were as they should be when they were read
  absl::Status repair;
  int64_t repaired_boot_nanos = 0;         // when the rules were right again; for stood_nanos
  std::optional<uint64_t> packets_passed;  // nothing: not counted
};

// One event for each process that changed Cordon's rules (ISO-6), in the order of their changes, at most
// kMostDriftEvents and then one for the rest. The first one has the differences and the packets: what each of
// several did between two readings cannot be told apart. None when nothing differed and nobody touched
// Cordon's tables. `processes` may be null. Pure but for asking `processes`.
inline constexpr size_t kMostDriftEvents = 16;
std::vector<v1::Event> DriftEvents(const std::vector<platform::RulesetChange>& changes,
                                   const DriftFindings& findings, const ProcessDirectory* processes);

// Puts the rules right and tells who changed them.
class DriftRepair {
 public:
  struct Parts {
    platform::PacketFilter* filter = nullptr;
    platform::LeakCounter* leaks = nullptr;       // may be null: packets are not counted then
    const ProcessDirectory* processes = nullptr;  // may be null, and may come later
    const Clock* clock = nullptr;
    EventSink* events = nullptr;
  };
  explicit DriftRepair(const Parts& parts) : parts_(parts) {}

  void Use(const ProcessDirectory* processes) { parts_.processes = processes; }

  struct Outcome {
    bool drifted = false;
    std::string found;             // a sentence for people
    uint64_t dropped_packets = 0;  // counted by the rules that were replaced
    absl::Status repair;
  };
  // Reads back, applies `policy` in one transaction when the kernel holds something else, emits the events.
  Outcome Repair(const platform::FilterPolicy& policy, std::vector<platform::RulesetChange> changes);

 private:
  Parts parts_;
};

}  // namespace cordon::agent
