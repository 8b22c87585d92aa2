#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr int64_t kLongestClimbWait = 3600 * kNanosPerSecond;
constexpr int64_t kAskAgain = 30 * kNanosPerSecond;  // longer than a proof takes

}  // namespace

using platform::Level;

void Isolation::Impl::ProveChannel() {
  // While something else decides, a proof says nothing about the level that was ordered.
  if (ByItselfDecides(state_)) return ShowChannel();
  if (!state_.channel_unproven() || state_.has_unlock() || parts_.channel == nullptr) return;
  parts_.channel->Prove(
      [this, generation = generation_](const absl::Status& proof) { OnChannelProof(generation, proof); });
}

void Isolation::Impl::OnChannelProof(uint64_t generation, const absl::Status& proof) {
  if (generation != generation_) return;
  proof_.SetChannel(Policy(), proof);
  if (!state_.channel_unproven()) return;         // decided by another proof meanwhile
  if (proof.ok()) climb_wait_ = kFirstClimbWait;  // the next time is another one
  if (!proof.ok() && MayStepDown()) return StepDown(proof);
  if (!proof.ok()) {
    spdlog::warn("isolation: the controller is not reached under {} and {}: {}",
                 LevelName(FilterLevel(state_.level())),
                 state_.action().fallback() == v1::FALLBACK_STEP_DOWN ? "no fallback opens the host further"
                                                                      : "the order says hold",
                 Message(proof));
  }
  state_.set_channel_unproven(false);
  if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
}

// One level, and none that would open the host wholly: a controller that is away must not undo an isolation.
bool Isolation::Impl::MayStepDown() const {
  return state_.action().fallback() == v1::FALLBACK_STEP_DOWN && !SteppedDown() &&
         state_.level() > v1::LEVEL_NO_LATERAL;
}

bool Isolation::Impl::SteppedDown() const {
  return state_.has_action() && state_.level() < state_.action().level();
}

// One level towards observe (ISO-4). Tick asks for the way back.
void Isolation::Impl::StepDown(const absl::Status& why) {
  v1::IsolationState next = state_;
  next.clear_controllers();
  const Level lower = static_cast<Level>(state_.level() - 1);
  next.set_level(WireLevel(lower));
  next.set_channel_unproven(false);
  next.set_note(StrCat("stepped down to ", LevelName(lower),
                       " as the order says, because the controller was not reached "
                       "under ",
                       LevelName(FilterLevel(state_.level())), ": ", Printable(Message(why))));
  if (const auto taken = Take(std::move(next), ordered_, "fallback: step down"); !taken.ok()) {
    spdlog::error("isolation: cannot step down: {}", Message(taken.status()));
    step_down_refused_ = true;  // the next Tick asks and tries again
    return;
  }
  next_climb_ = parts_.clock->BootNanos() + climb_wait_;
  climb_wait_ = std::min(2 * climb_wait_, kLongestClimbWait);
}

// Back to what was ordered as soon as a controller is reached again. Where it is the ordered level itself
// that shuts the way, each try cuts the host off for some seconds: so they come at growing distances.
void Isolation::Impl::TryToClimb() {
  if (!SteppedDown() || ByItselfDecides(state_) || state_.has_unlock() || options_.hold) return;
  if (parts_.channel == nullptr) return;
  const int64_t now = parts_.clock->BootNanos();
  if (now < next_climb_) return;
  next_climb_ = now + kAskAgain;
  parts_.channel->Prove([this, generation = generation_](const absl::Status& proof) {
    if (generation != generation_) return;
    proof_.SetChannel(Policy(), proof);
    if (proof.ok()) Climb();
  });
}

void Isolation::Impl::Climb() {
  v1::IsolationState next = state_;
  next.clear_controllers();
  next.clear_note();
  next.set_level(state_.action().level());
  next.set_channel_unproven(true);
  const auto taken = Take(std::move(next), ordered_, "fallback: back to the ordered level");
  if (!taken.ok()) {
    spdlog::error("isolation: cannot go back to the ordered level: {}", Message(taken.status()));
    return;
  }
  ProveChannel();
}

}  // namespace cordon::agent
