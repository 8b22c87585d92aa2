#pragma once

#include <absl/status/status.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "agent/integrity/file_look.h"
#include "agent/integrity/file_sensor.h"
#include "agent/integrity/long_files.h"
#include "agent/integrity/losses.h"
#include "agent/integrity/policy.h"
#include "agent/integrity/settler.h"
#include "agent/integrity/tree_walk.h"
#include "agent/integrity/tripwires.h"

namespace cordon::agent {

// The way of an event inside the sensor. The source's thread puts raw events into the settler and waits while
// that is full; one worker takes what has settled, reads it, asks who did it, has the tripwires judge it, and
// emits. Facts whose process is not known yet wait beside, and long files are hashed beside, without holding
// up others. What no event told is found by a walk, which takes the same way.
class FileSensor::Pipeline {
 public:
  // How a canary came back: its SHA-256.
  using OnCanary = std::function<void(const std::string& sha256)>;

  Pipeline(const FileSensorConfig& config, const Clock& clock, const ProcessDirectory& processes,
           EventSink& sink, Tripwires& tripwires, std::atomic<uint64_t>& lost, std::filesystem::path canary,
           OnCanary on_canary);
  ~Pipeline();

  void SetPolicy(const WatchPolicy& policy);
  WatchPolicy CurrentPolicy() const;
  // May block while too much is pending. Thread-safe.
  void Take(std::span<platform::RawFileEvent> events);
  // Settles and emits everything; returns after the last Emit.
  void Finish();
  void EmitGap(v1::Gap gap);

 private:
  struct Waiting {
    PendingFact pending;
    int64_t until = 0;
  };

  void Run();
  // False when finishing and nothing is left.
  bool WaitForWork(std::vector<SettledPath>* work);
  std::optional<int64_t> NextDue() const;
  void WalkMovedIn(const platform::RawFileEvent& event);
  void Tell(const SettledPath& settled);
  LookOptions HowToLook() const;
  // False when the process is not known (yet).
  bool NameProcess(FileFact& fact) const;
  void AskAgain(bool last_time);
  void JudgeAndEmit(PendingFact pending);
  void Emit(FileFact fact);
  void NoteOverflow(const platform::RawFileEvent& overflow);
  void TellDueLosses();
  void TellLoss(const Loss& loss);
  void WalkWhatWasLost(const Loss& loss);
  bool IsExcluded(const std::filesystem::path& path) const;
  int64_t WallTime(int64_t boottime_nanos) const;

  const FileSensorConfig& config_;
  const Clock& clock_;
  const ProcessDirectory& processes_;
  EventSink& sink_;
  Tripwires& tripwires_;
  std::atomic<uint64_t>& lost_;
  const std::filesystem::path canary_;
  const OnCanary on_canary_;

  mutable std::mutex mutex_;
  std::condition_variable work_;   // for the worker
  std::condition_variable space_;  // for sources
  Settler settler_;                // all down to finishing_: under mutex_
  Settler reads_;                  // summed up for longer: who reads does so again and again
  std::vector<SettledPath> told_early_;
  Losses losses_;
  WatchPolicy policy_;
  int64_t last_event_boottime_ = 0;
  bool finishing_ = false;

  std::atomic<bool> hurry_ = false;
  std::deque<Waiting> waiting_;  // the worker's alone
  LongFiles long_files_;
  std::thread worker_;
  TreeWalk walk_;  // last: it calls Take
};

}  // namespace cordon::agent
