#include "agent/unlock/unlocker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "agent/unlock/unlock_state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

bool MayAnswer(const v1::TrustedOperator& person) {
  return !person.unlock_public_key().empty() &&
         std::ranges::find(person.roles(), v1::TrustedOperator::ROLE_UNLOCK) != person.roles().end();
}

}  // namespace

Unlocker::Unlocker(UnlockSelf self, Parts parts, Settings settings)
    : self_(std::move(self)), parts_(std::move(parts)), settings_(std::move(settings)) {
  Load();
}

void Unlocker::Load() {
  const absl::StatusOr<std::string> bytes =
      platform::ReadFileBounded(settings_.state_file, kMaxUnlockStateBytes);
  if (absl::IsNotFound(bytes.status())) return;  // nobody has asked yet
  absl::StatusOr<v1::UnlockState> state = bytes.ok() ? DecodeUnlockState(*bytes) : bytes.status();
  if (!state.ok()) return Damaged(state.status());
  state_ = *std::move(state);
  CountUnlockDelay(&state_, settings_.boot_id, parts_.clock);
  if (const absl::Status saved = Save(); !saved.ok()) spdlog::warn("{}", Message(saved));
}

// Whether somebody was guessing cannot be known any more: taken for yes.
void Unlocker::Damaged(const absl::Status& why) {
  std::filesystem::path aside = settings_.state_file;
  aside += ".damaged";
  std::error_code error;
  std::filesystem::rename(settings_.state_file, aside, error);
  state_.set_wrong_codes(kMostWrongCodes);
  state_.set_wait_nanos(kLongestUnlockDelay);
  state_.set_boot_id(settings_.boot_id);
  state_.set_boot_nanos(parts_.clock.BootNanos());
  notice_ = StrCat(settings_.state_file.string(), ": ", Message(why), "; no unlock code is looked at for ",
                   FormatDuration(kLongestUnlockDelay));
  if (const absl::Status saved = Save(); !saved.ok()) StrAppend(&notice_, "; ", Message(saved));
  spdlog::error("{}", notice_);
  Tell(v1::UnlockAttempt::RESULT_WRONG_CODE, notice_);
}

absl::Status Unlocker::Save() {
  const absl::Status saved = platform::WriteFileDurably(settings_.state_file, EncodeUnlockState(state_),
                                                        platform::FileAccess::kOwnerOnly);
  if (saved.ok()) return saved;
  return absl::AbortedError(
      StrCat("the unlock state cannot be saved: ", Message(saved), "; make room, then try again"));
}

absl::Status Unlocker::CheckPossible() const {
  if (self_.key == nullptr)
    return absl::FailedPreconditionError(StrCat("this host has no unlock key: ", self_.key_problem));
  if (std::ranges::any_of(parts_.trust().operators(), MayAnswer)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "nobody can answer: no operator of this host's trust bundle has the role unlock and an unlock key");
}

absl::StatusOr<v1::BeginUnlockResponse> Unlocker::Begin(v1::Level level, int64_t length_nanos) {
  CORDON_ASSIGN_OR_RETURN(const UnlockChallenge challenge, NewUnlockChallenge(level, length_nanos));
  CORDON_RETURN_IF_ERROR(CheckPossible());
  CORDON_RETURN_IF_ERROR(parts_.isolation.MayUnlock(level));
  CountUnlockDelay(&state_, settings_.boot_id, parts_.clock);
  const v1::UnlockState before = state_;
  state_.set_challenge(WriteUnlockChallenge(challenge));
  state_.set_level(level);
  state_.set_length_nanos(length_nanos);
  state_.set_order_sequence(parts_.isolation.Lane().sequence());
  state_.set_times_by_itself(parts_.isolation.TimesByItself());
  if (absl::Status saved = Save(); !saved.ok()) {
    state_ = before;
    return saved;
  }
  Tell(v1::UnlockAttempt::RESULT_CHALLENGE_SHOWN);
  v1::BeginUnlockResponse response;
  response.set_challenge(InGroups(state_.challenge()));
  response.set_wait_nanos(state_.wait_nanos());
  return response;
}

absl::Status Unlocker::TooSoon() {
  if (!std::exchange(too_soon_told_, true)) Tell(v1::UnlockAttempt::RESULT_TOO_SOON);
  return absl::ResourceExhaustedError(StrCat("not looked at: too soon after ", state_.wrong_codes(),
                                             " wrong code", state_.wrong_codes() == 1 ? "" : "s",
                                             "; try again in ", FormatDuration(state_.wait_nanos())));
}

// Every operator is tried, whoever it was: how long it takes tells nothing.
const v1::TrustedOperator* Unlocker::MadeBy(const v1::TrustBundle& trust, const UnlockChallenge& challenge,
                                            std::string_view code) const {
  const v1::TrustedOperator* found = nullptr;
  for (const v1::TrustedOperator& person : trust.operators()) {
    if (!MayAnswer(person)) continue;
    const absl::StatusOr<std::string> good = UnlockCode({.fleet_id = self_.fleet_id,
                                                         .host_id = self_.host_id,
                                                         .host_name = self_.host_name,
                                                         .operator_id = person.operator_id(),
                                                         .host_public_key = self_.public_key,
                                                         .operator_public_key = person.unlock_public_key()},
                                                        challenge, *self_.key);
    if (!good.ok()) {
      spdlog::warn("operator {} cannot unlock this host: {}", person.operator_id(), Message(good.status()));
    } else if (ConstantTimeEquals(*good, code)) {
      found = &person;
    }
  }
  return found;
}

absl::StatusOr<v1::AnswerUnlockResponse> Unlocker::Answer(std::string_view code) {
  CORDON_ASSIGN_OR_RETURN(const std::string typed, ReadUnlockCode(code));
  CORDON_RETURN_IF_ERROR(CheckPossible());
  if (state_.challenge().empty())
    return absl::FailedPreconditionError("no challenge is open; begin with: cordon-agent unlock");
  CORDON_ASSIGN_OR_RETURN(const UnlockChallenge challenge, ReadUnlockChallenge(state_.challenge()));
  CORDON_RETURN_IF_ERROR(parts_.isolation.MayUnlock(challenge.level));
  // AUT-5: whoever gave the code agreed to open the host as it stood at that time, and not what has closed it
  // since.
  if (state_.order_sequence() != parts_.isolation.Lane().sequence()) {
    return absl::FailedPreconditionError(
        "an order has come since the challenge was shown; begin anew with: cordon-agent unlock");
  }
  if (state_.times_by_itself() != parts_.isolation.TimesByItself()) {
    return absl::FailedPreconditionError(
        "this host has isolated itself since the challenge was shown; begin anew with: cordon-agent unlock");
  }
  CountUnlockDelay(&state_, settings_.boot_id, parts_.clock);
  if (state_.wait_nanos() > 0) return TooSoon();
  // Counted on disk before it is looked at: who kills the agent in between has not guessed for nothing.
  const v1::UnlockState before = state_;
  state_.set_wrong_codes(state_.wrong_codes() + 1);
  state_.set_wait_nanos(UnlockDelay(state_.wrong_codes()));
  if (absl::Status saved = Save(); !saved.ok()) {
    state_ = before;
    return Annotate(saved, "the code was not looked at");
  }
  too_soon_told_ = false;
  const v1::TrustBundle trust = parts_.trust();
  const v1::TrustedOperator* const person = MadeBy(trust, challenge, typed);
  return person == nullptr ? WrongCode() : LetDown(challenge, *person);
}

absl::Status Unlocker::WrongCode() {
  Tell(v1::UnlockAttempt::RESULT_WRONG_CODE);
  spdlog::warn("unlock: wrong code, {} in a row", state_.wrong_codes());
  return absl::PermissionDeniedError(StrCat("wrong code (", state_.wrong_codes(),
                                            " in a row); the next one is looked at in ",
                                            FormatDuration(state_.wait_nanos())));
}

// The challenge is used up on disk before its effect: no crash lets it be answered twice.
absl::StatusOr<v1::AnswerUnlockResponse> Unlocker::LetDown(const UnlockChallenge& challenge,
                                                           const v1::TrustedOperator& person) {
  const std::string used = std::exchange(*state_.mutable_challenge(), "");
  state_.set_wrong_codes(0);
  state_.set_wait_nanos(0);
  CORDON_RETURN_IF_ERROR(Save());
  v1::Unlock unlock;
  unlock.set_level(challenge.level);
  unlock.set_length_nanos(challenge.length_nanos);
  unlock.set_operator_id(person.operator_id());
  const absl::Status done = parts_.isolation.Unlock(std::move(unlock)).status();
  state_.set_challenge(used);  // for the event alone
  Tell(done.ok() ? v1::UnlockAttempt::RESULT_UNLOCKED : v1::UnlockAttempt::RESULT_ENDED,
       done.ok() ? "" : StrCat("the code was right, but the level could not be changed: ", Message(done)),
       person.operator_id());
  state_.clear_challenge();
  if (!done.ok()) {
    return absl::AbortedError(
        StrCat("the code was right and is used up, but the level could not be changed: ", Message(done),
               "; begin anew with: cordon-agent unlock"));
  }
  spdlog::warn("unlock: to {} for {} by operator {}", v1::Level_Name(challenge.level),
               FormatDuration(challenge.length_nanos), person.operator_id());
  v1::AnswerUnlockResponse response;
  response.set_level(challenge.level);
  response.set_length_nanos(challenge.length_nanos);
  response.set_operator_name(person.name());
  return response;
}

void Unlocker::Tell(v1::UnlockAttempt::Result result, const std::string& detail,
                    const std::string& operator_id) {
  v1::Event event;
  v1::UnlockAttempt& attempt = *event.mutable_unlock_attempt();
  attempt.set_result(result);
  attempt.set_operator_id(operator_id);
  attempt.set_level(state_.level());
  attempt.set_length_nanos(state_.length_nanos());
  attempt.set_wrong_codes(state_.wrong_codes());
  attempt.set_challenge(state_.challenge());
  attempt.set_detail(detail);
  parts_.events.Emit(v1::EVENT_CLASS_CONTROL, parts_.clock.WallNanos(), std::move(event));
}

}  // namespace cordon::agent
