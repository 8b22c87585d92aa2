#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/integrity/canary_files.h"
#include "agent/integrity/content.h"
#include "agent/integrity/policy.h"
#include "agent/integrity/tripwire_rule.h"
#include "common/base/clock.h"
#include "cordon/v1/event.pb.h"
#include "cordon/v1/order.pb.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// Raises a finding (class FINDING, kind RANSOMWARE) when a process spoils people's files: by the rule over
// the stream of changes (tripwire_rule.h), and by canary files. Thread-safe.
class Tripwires {
 public:
  // What the policy lets the agent do by itself, once for each policy. Called by whoever calls Look.
  using OnSure = std::function<void(const v1::Finding&, const v1::SelfIsolation&)>;

  // References must outlive it. `on_sure` may be empty. The list of canary files is kept in `state_folder`.
  Tripwires(const std::filesystem::path& state_folder, const Clock& clock, EventSink& sink, OnSure on_sure)
      : clock_(clock), sink_(sink), on_sure_(std::move(on_sure)), canaries_(state_folder / kCanaryList) {}

  // By this policy from now on; lays its canary files. The error names those that could not be laid, the rest
  // is in force.
  absl::Status Use(const WatchPolicy& policy);

  // Whether Look wants to know the content of files.
  bool On() const;

  // A change as it is told, with what its content looks like, and the parent of its process ("" = not known).
  // `moved_in`: a creation that is an arrival, as FileDeed says.
  void Look(const v1::FileChanged& change, Content content, const std::string& parent_guid,
            int64_t boottime_nanos, bool moved_in = false);

  // Lays again what has gone, and in folders of documents that have come since; what it says when that cannot
  // be done is for the health of the sensor. OK when off.
  absl::Status CheckCanaries();

 private:
  struct Alarm {
    std::string detail;
    uint32_t files = 1;
    bool sure = true;
  };

  // The last finding about an actor.
  struct Told {
    int64_t boottime_nanos = 0;
    bool sure = false;
  };

  absl::Status LayCanaries(const std::vector<std::filesystem::path>& folders,
                           const std::vector<std::filesystem::path>& homes);
  std::optional<Alarm> Judge(const v1::FileChanged& change, Content content, const std::string& parent_guid,
                             int64_t boottime_nanos, bool moved_in);
  std::optional<Alarm> JudgeCanary(const v1::FileChanged& change, Content content) const;
  bool ToldLately(const v1::FileChanged& change, bool sure, int64_t boottime_nanos);

  const Clock& clock_;
  EventSink& sink_;
  const OnSure on_sure_;

  // One at a time lays canaries, in folders of others, where nothing is sure to answer soon: no change waits
  // for it. Taken before mutex_.
  std::mutex laying_mutex_;
  CanaryFiles canaries_;

  mutable std::mutex mutex_;  // guards what follows
  v1::Tripwires policy_;
  std::vector<std::filesystem::path> canary_folders_;  // as in WatchPolicy
  std::vector<std::filesystem::path> canary_homes_;
  std::unique_ptr<TripwireRule> rule_;          // none: off
  std::unordered_map<std::string, Told> told_;  // by actor
  bool acted_ = false;
};

}  // namespace cordon::agent
