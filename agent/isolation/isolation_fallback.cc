#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {

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
  if (!proof.ok() && state_.action().fallback() == v1::FALLBACK_STEP_DOWN) return StepDown(proof);
  if (!proof.ok()) {
    spdlog::warn("isolation: the controller is not reached under {} and the order says hold: {}",
                 LevelName(FilterLevel(state_.level())), Message(proof));
  }
  state_.set_channel_unproven(false);
  if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
}

// One level towards observe, and the next proof (ISO-4).
void Isolation::Impl::StepDown(const absl::Status& why) {
  v1::IsolationState next = state_;
  next.clear_controllers();
  const Level lower = static_cast<Level>(state_.level() - 1);
  next.set_level(WireLevel(lower));
  next.set_channel_unproven(lower != Level::kObserve);
  next.set_note(StrCat("stepped down to ", LevelName(lower),
                       " as the order says, because the controller was not reached "
                       "under ",
                       LevelName(FilterLevel(state_.level())), ": ", Printable(Message(why))));
  if (const auto taken = Take(std::move(next), ordered_, "fallback: step down"); !taken.ok()) {
    spdlog::error("isolation: cannot step down: {}", Message(taken.status()));
    step_down_refused_ = true;  // the next Tick asks and tries again
    return;
  }
  ProveChannel();
}

}  // namespace cordon::agent
