#pragma once

// Isolation's inside, for the files isolation*.cc alone: isolation.cc gives effect to orders,
// isolation_by_itself.cc to what a policy allows without one,
// isolation_fallback.cc proves the channel, isolation_unlock.cc lets down by phone, isolation_upkeep.cc keeps
// what is in force, isolation_restore.cc begins.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/isolation/drift.h"
#include "agent/isolation/isolation.h"
#include "agent/isolation/live_proof.h"
#include "agent/isolation/name_duty.h"
#include "agent/isolation/program_binding.h"
#include "agent/isolation/state.h"
#include "agent/isolation/state_file.h"

namespace cordon::agent {

inline constexpr platform::Level kHeldLevel = platform::Level::kControllerOnly;
// From a step down to the first try of the ordered level; twice as long with each step down that follows.
inline constexpr int64_t kFirstClimbWait = 60 * kNanosPerSecond;

inline v1::Level WireLevel(platform::Level level) {
  return static_cast<v1::Level>(level);
}
inline platform::Level FilterLevel(v1::Level level) {
  return static_cast<platform::Level>(level);
}

class Isolation::Impl {
 public:
  Impl(IsolationParts parts, IsolationOptions options)
      : parts_(parts),
        options_(std::move(options)),
        names_(parts.names, parts.clock),
        programs_(parts.marks),
        file_(options_.state_file),
        proof_({.escape = parts.escape,
                .inbound = parts.inbound,
                .bypasses = parts.bypasses,
                .clock = parts.clock}),
        drift_({.filter = parts.filter,
                .leaks = parts.leaks,
                .processes = nullptr,
                .clock = parts.clock,
                .events = parts.events}) {
    state_.set_level(v1::LEVEL_OBSERVE);
    if (parts_.names != nullptr)
      parts_.names->OnChange([this](Names::Change change) { return OnNamesChanged(change); });
  }

  void OnReceipt(std::function<void(const v1::Receipt&)> listener) { listener_ = std::move(listener); }

  absl::Status Restore();
  absl::Status RestoreState();
  void SetControllers(std::vector<Endpoint> controllers);
  absl::StatusOr<v1::Receipt> Set(const v1::IsolateAction& action, const std::string& order_id,
                                  uint64_t sequence);
  absl::StatusOr<v1::Receipt> Release(const std::string& order_id, uint64_t sequence);
  absl::StatusOr<platform::FilterPolicy> Intended(const v1::IsolateAction& action) const;
  absl::StatusOr<v1::Receipt> TakeByItself(const v1::SelfIsolation& allowed, const std::string& cause);
  absl::StatusOr<v1::Receipt> ReleaseLocally();
  absl::Status MayUnlock(v1::Level level) const;
  absl::StatusOr<v1::Receipt> Unlock(v1::Unlock unlock);
  void OnLinksChanged(std::vector<std::string> moved_away);
  void OnRulesChanged(std::vector<platform::RulesetChange> changes);
  void Know(const ProcessDirectory* processes) { drift_.Use(processes); }
  void Tick();
  bool Overtaken() const { return overtaken_ || (options_.others_write && !file_.IsAsKnown()); }
  void TakeOver();
  void EndHold(const std::string& why);
  v1::Receipt ReadReceipt() { return ReceiptOf(parts_.filter->ReadBack(Policy())); }
  absl::Status Prove();
  v1::LaneState Lane() const;
  uint64_t TimesByItself() const { return state_.times_by_itself(); }
  v1::Level LevelMeant() const { return LevelInForce(state_); }

 private:
  // What the state asks of the kernel now; what `state`, with what decides in it, would ask.
  platform::FilterPolicy Policy() const {
    return PolicyFor(state_, ByItselfDecides(state_) ? own_ : ordered_);
  }
  platform::FilterPolicy PolicyFor(const v1::IsolationState& state, platform::FilterPolicy asked) const;
  const v1::Profile& ProfileInForce() const {
    return ByItselfDecides(state_) ? state_.by_itself().allowed().profile() : state_.action().profile();
  }
  // `policy`, unless this host cannot enforce it; its programs are marked from here on.
  absl::StatusOr<platform::FilterPolicy> Possible(absl::StatusOr<platform::FilterPolicy> policy);
  void SettlePrograms();
  v1::Receipt ReceiptOf(const absl::StatusOr<platform::FilterReadback>& readback);

  absl::Status CheckSequence(const std::string& order_id, uint64_t sequence) const;
  absl::StatusOr<v1::Receipt> TakeAction(const v1::IsolateAction& action, const std::string& order_id,
                                         uint64_t sequence, const std::string& cause);
  // kLater: a disk that refuses does not hold the change up; it is saved as soon as that can be.
  enum class Disk { kFirst, kLater };
  absl::StatusOr<v1::Receipt> Take(v1::IsolationState next, platform::FilterPolicy ordered,
                                   platform::FilterPolicy own, const std::string& cause,
                                   Disk disk = Disk::kFirst);
  // With the same `own`, as long as `next` has something that the host took by itself.
  absl::StatusOr<v1::Receipt> Take(v1::IsolationState next, platform::FilterPolicy ordered,
                                   const std::string& cause, Disk disk = Disk::kFirst) {
    platform::FilterPolicy own = next.has_by_itself() ? own_ : platform::FilterPolicy();
    return Take(std::move(next), std::move(ordered), std::move(own), cause, disk);
  }
  void GoBack(v1::IsolationState before, platform::FilterPolicy ordered, platform::FilterPolicy own);
  absl::Status Save(const v1::IsolationState& state);
  absl::Status PutBack();
  void SaveIfUnsaved();
  void ReadIfUnread();
  void StartAnew();
  absl::Status SaveAndPrepare(const v1::IsolationState& next, const platform::FilterPolicy& asked);
  absl::Status PutInForce();
  void CutForbiddenConnections();
  v1::Receipt Tell(const std::string& cause, const absl::StatusOr<platform::FilterReadback>& readback);
  v1::Receipt Tell(const std::string& cause) { return Tell(cause, parts_.filter->ReadBack(Policy())); }
  absl::Status SetAside(const absl::Status& why);
  absl::Status TakeClosedSide(bool unlocked);
  absl::Status CloseUnlessKept(const std::string& cause);
  void NameProblem(const absl::Status& closed);
  absl::Status LeaveAlone(const absl::Status& why);
  bool LeftAlone() const;
  void LookAtKept();
  absl::Status HoldFreshHost();
  void MakeRoom();
  void CountSinceStopped();

  void ProveChannel();
  void ShowChannel();
  void AskGuard();
  void OnChannelProof(uint64_t generation, const absl::Status& proof);
  bool MayStepDown() const;
  bool SteppedDown() const;
  void StepDown(const absl::Status& why);
  void TryToClimb();
  void Climb();
  void CountDown();
  void EndLease();
  void EndUnlock();
  void EndByItself();
  void TellByItself(v1::Receipt* receipt) const;
  void TellUnlockEnded(const v1::Unlock& unlock, const std::string& cause);
  std::string UnlockInWords() const;
  DriftRepair::Outcome RepairDrift(std::vector<platform::RulesetChange> changes, const std::string& cause);
  void CountLeaks();
  void ProbeAndTidy();
  absl::Status OnNamesChanged(Names::Change change);
  void SaveNamesIfDue(bool due);

  IsolationParts parts_;
  IsolationOptions options_;
  NameDuty names_;
  std::function<void(const v1::Receipt&)> listener_;
  v1::IsolationState state_;
  platform::FilterPolicy ordered_;  // of state_.action, at its own level
  platform::FilterPolicy own_;      // of state_.by_itself
  ProgramBinding programs_;
  std::vector<Endpoint> controllers_;
  StateFile file_;
  bool overtaken_ = false;
  std::string state_problem_;
  std::vector<std::string> moved_told_;
  LiveProof proof_;
  DriftRepair drift_;
  v1::Containment told_ = v1::CONTAINMENT_UNSPECIFIED;  // last
  bool told_stopped_ = false;                           // last, that something allowed is stopped
  bool count_leaks_anew_ = true;                        // the leak counter still follows an earlier policy
  uint64_t dropped_before_ = 0;
  int64_t apply_nanos_ = 0;
  int64_t time_saved_at_ = 0;
  int64_t climb_wait_ = kFirstClimbWait;
  int64_t next_climb_ = 0;          // on the boot-time clock
  bool step_down_refused_ = false;  // by the kernel or the disk: to be tried again
  bool unsaved_ = false;            // state_ is meant and not on disk
  bool unread_ = false;       // what is on disk is not known, and must not be written over but by an order
  bool kept_ = false;         // what stands in the kernel is left as it is: see LookAtKept
  bool guard_is_due_ = true;  // to be asked, for this state
  uint64_t generation_ = 0;   // rises with every change: a proof of an earlier state counts for nothing
};

}  // namespace cordon::agent
