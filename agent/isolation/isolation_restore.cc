#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/recovery.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {

using platform::FilterPolicy;

// The damaged file stays until the closed state takes its place: a host without any file is a free one.
absl::Status Isolation::Impl::SetAside(const absl::Status& why) {
  if (options_.others_write && !file_.IsAsKnown()) {
    overtaken_ = true;  // it is another file by now, and perhaps a good one
    return absl::AbortedError(
        StrCat(options_.state_file.string(), " was changed while it was read; it is to be read anew"));
  }
  std::string problem(Message(why));
  std::error_code error;
  if (std::filesystem::exists(options_.state_file, error)) {
    std::filesystem::path aside = options_.state_file;
    aside += StrCat(".damaged-", parts_.clock->WallNanos());
    std::filesystem::copy_file(options_.state_file, aside, std::filesystem::copy_options::overwrite_existing,
                               error);
    if (error) {
      StrAppend(&problem, "; no copy of it can be kept: ", error.message());
      std::filesystem::remove(aside, error);
    } else {
      StrAppend(&problem, "; it is set aside as ", aside.filename().string());
    }
  }
  state_ = ClosedState(options_.state_file.parent_path(), problem, *parts_.clock);
  unsaved_ = true;
  SaveIfUnsaved();
  return TakeClosedSide(/*unlocked=*/false);
}

// The state does not say what was ordered. What stands in the kernel is kept, for nothing but an order may
// open it; where nothing stands, as after a boot, the host is closed but for its controllers (ISO-5). What an
// unlock has put there is not kept beyond its time.
absl::Status Isolation::Impl::TakeClosedSide(bool unlocked) {
  ordered_ = {};
  if (controllers_.empty()) controllers_ = ControllersOf(state_);
  if (ByItselfDecides(state_)) names_.Begin(&state_);
  const auto readback = parts_.filter->ReadBack(Policy());
  kept_ = !unlocked && (!readback.ok() || (!readback->absent && !readback->matches));
  return CloseUnlessKept("agent start");
}

absl::Status Isolation::Impl::CloseUnlessKept(const std::string& cause) {
  const absl::Status closed = kept_ ? absl::OkStatus() : PutInForce();
  if (ByItselfDecides(state_) && !kept_ && closed.ok()) names_.Settle();
  NameProblem(closed);
  spdlog::error("isolation: {}", state_problem_);
  Tell(cause);
  return absl::DataLossError(state_problem_);
}

void Isolation::Impl::NameProblem(const absl::Status& closed) {
  state_problem_ = StrCat(state_.note(), ", and ",
                          kept_                 ? "what stands in the kernel is kept"
                          : !closed.ok()        ? StrCat("the host cannot be closed (", Message(closed), ")")
                          : state_.has_unlock() ? "the host is unlocked by phone"
                                                : "the host is closed but for its controllers",
                          ": order isolate or release anew");
}

// There is no state, and what stands in the kernel cannot be read: nothing is changed until somebody orders.
absl::Status Isolation::Impl::LeaveAlone(const absl::Status& why) {
  kept_ = true;
  state_problem_ = StrCat(Message(why), "; what stands in the kernel is kept: order isolate or release anew");
  return why;
}

bool Isolation::Impl::LeftAlone() const {
  return kept_ && !IsClosedState(state_);
}

// What is kept may be taken away by anybody, and what could not be read may be readable by now: then this is
// the start that it should have been. Nothing but an order opens what stands.
void Isolation::Impl::LookAtKept() {
  if (!kept_) return;
  const auto readback = parts_.filter->ReadBack(Policy());
  if (!readback.ok()) return;
  if (LeftAlone()) {
    StartAnew();
    if (!kept_ && !IsClosedState(state_)) Tell("what stands in the kernel can be read again");
    return;
  }
  if (!readback->absent && !readback->matches) return;
  kept_ = false;
  static_cast<void>(CloseUnlessKept(readback->absent ? "the rules that were kept are gone"
                                                     : "what stands in the kernel can be read again"));
}

absl::Status Isolation::Impl::Restore() {
  const absl::Status restored = RestoreState();
  if (restored.ok()) SettlePrograms();  // an agent that died in between may have left some
  return restored;
}

absl::Status Isolation::Impl::RestoreState() {
  if (options_.hold && controllers_.empty())
    controllers_ = KnownControllers(options_.state_file.parent_path());
  absl::StatusOr<v1::IsolationState> state = file_.Load();
  if (absl::IsNotFound(state.status())) {
    const auto readback = parts_.filter->ReadBack(Policy());
    if (!readback.ok()) return LeaveAlone(readback.status());
    if (readback->absent && options_.hold) return HoldFreshHost();
    if (readback->absent) {
      MakeRoom();
      return absl::OkStatus();
    }
    return SetAside(absl::DataLossError(
        "rules of Cordon stand in the kernel, but there is no isolation state that asks for them"));
  }
  if (!state.ok() && !absl::IsDataLoss(state.status())) {
    state_ = ClosedState(options_.state_file.parent_path(), Message(state.status()), *parts_.clock);
    unread_ = true;
    return TakeClosedSide(/*unlocked=*/false);
  }
  absl::StatusOr<FilterPolicy> ordered = FilterPolicy{};
  absl::StatusOr<FilterPolicy> own = FilterPolicy{};
  if (state.ok() && state->has_action()) ordered = PolicyOf(state->action());
  if (state.ok() && state->has_by_itself()) own = PolicyOf(state->by_itself().allowed());
  for (const absl::Status& read : {state.status(), ordered.status(), own.status()}) {
    if (!read.ok()) return SetAside(read);
  }
  state_ = *std::move(state);
  const bool unlocked = state_.has_unlock();
  own_ = *std::move(own);
  CountSinceStopped();
  if (IsClosedState(state_)) return TakeClosedSide(unlocked);
  ordered_ = *std::move(ordered);
  if (state_.controllers_size() > 0) controllers_ = ControllersOf(state_);
  if (state_.level() == v1::LEVEL_OBSERVE && !state_.has_action() && !state_.has_by_itself()) {
    const auto readback = parts_.filter->ReadBack(Policy());
    if (readback.ok() && readback->matches) return absl::OkStatus();
  }
  names_.Begin(&state_);
  CORDON_RETURN_IF_ERROR(PutInForce());
  names_.Settle();
  Tell("agent start");
  ProveChannel();
  return absl::OkStatus();
}

// Time passed while nobody counted. An unlock that has ended meanwhile opens nothing any more; one that has
// not is counted on disk, so that reboot after reboot does not prolong it (AUT-5).
void Isolation::Impl::CountSinceStopped() {
  if (!CountsTime(state_)) return;
  CountTime(&state_, options_.boot_id, *parts_.clock);
  if (!state_.has_unlock()) return;
  const v1::Unlock unlock = state_.unlock();
  const bool ended = UnlockEnded(state_);
  if (ended) state_.clear_unlock();
  const absl::Status saved = Save(state_);
  if (!saved.ok()) spdlog::error("isolation: {}", Message(saved));
  unsaved_ = ended && !saved.ok() && !overtaken_;
  if (ended) TellUnlockEnded(unlock, "its time was over when the agent started");
}

// The file has its size from the first start on, so that a disk that is full by the time of the first order
// does not keep the host from being isolated (decision 0048).
void Isolation::Impl::MakeRoom() {
  if (options_.others_write) return;  // it is the agent's to make
  if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::warn("isolation: {}", Message(saved));
}

// With a state on disk, so that the rules are not taken for those of a state that was lost.
absl::Status Isolation::Impl::HoldFreshHost() {
  CORDON_RETURN_IF_ERROR(Save(state_));
  CORDON_RETURN_IF_ERROR(PutInForce());
  Tell("agent start");
  return absl::OkStatus();
}

void Isolation::Impl::EndHold(const std::string& why) {
  if (!std::exchange(options_.hold, false) || kept_ || FilterLevel(LevelInForce(state_)) >= kHeldLevel)
    return;
  const absl::Status applied = PutInForce();
  if (!applied.ok()) spdlog::error("isolation: the hold since boot cannot be ended: {}", Message(applied));
  Tell(StrCat("hold since boot ended: ", why));
}

}  // namespace cordon::agent
