#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "agent/event/event_sink.h"
#include "agent/isolation/isolation.h"
#include "common/base/clock.h"
#include "common/crypto/key.h"
#include "common/wire/unlock.h"
#include "cordon/v1/local.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

// Who the host is, for codes.
struct UnlockSelf {
  std::string fleet_id;
  std::string host_id;
  std::string host_name;
  KeyPtr key;              // the host's unlock key; none: nobody can unlock it, `key_problem` says why
  std::string public_key;  // of `key`
  std::string key_problem;
};

// Frees the host with a challenge and a code that fit a phone call (AUT-5): no network, no controller, no
// wall clock.
//
// A code opens one challenge of this host, at the level and for the time that stand in the challenge, once.
// Who can make it is whoever has the unlock key of an operator of the trust bundle in force with ROLE_UNLOCK.
// After wrong codes no code is looked at for a time that doubles up to an hour; neither a restart nor a new
// challenge shortens it. Each step is an event of class CONTROL. On the agent loop only.
class Unlocker {
 public:
  struct Parts {
    const Clock& clock;
    EventSink& events;
    Isolation& isolation;
    std::function<v1::TrustBundle()> trust;  // in force
  };
  struct Settings {
    std::filesystem::path state_file;  // "unlock.state" in the agent's state folder
    std::string boot_id;
  };

  // Reads the state file. A damaged one is set aside and counts as the most wrong codes; Notice says so.
  Unlocker(UnlockSelf self, Parts parts, Settings settings);

  // What a person should know of the state file; empty: nothing.
  const std::string& Notice() const { return notice_; }

  // A new challenge, in the place of an earlier one. Errors as LocalAgent.BeginUnlock, INVALID_ARGUMENT for a
  // level or a length that cannot be asked for, and ABORTED when it cannot be kept on disk.
  absl::StatusOr<v1::BeginUnlockResponse> Begin(v1::Level level, int64_t length_nanos);

  // Errors as LocalAgent.AnswerUnlock, and INVALID_ARGUMENT for what cannot be a code, which counts as no
  // attempt; ABORTED when the attempt cannot be kept on disk, and the code was not looked at, or when the
  // level cannot be changed.
  absl::StatusOr<v1::AnswerUnlockResponse> Answer(std::string_view code);

 private:
  void Load();
  void Damaged(const absl::Status& why);
  absl::Status Save();
  absl::Status CheckPossible() const;
  absl::Status TooSoon();
  // Who can have made `code`; nullptr: nobody.
  const v1::TrustedOperator* MadeBy(const v1::TrustBundle& trust, const UnlockChallenge& challenge,
                                    std::string_view code) const;
  absl::Status WrongCode();
  absl::StatusOr<v1::AnswerUnlockResponse> LetDown(const UnlockChallenge& challenge,
                                                   const v1::TrustedOperator& person);
  void Tell(v1::UnlockAttempt::Result result, const std::string& detail = "",
            const std::string& operator_id = "");

  const UnlockSelf self_;
  const Parts parts_;
  const Settings settings_;
  v1::UnlockState state_;
  std::string notice_;
  bool too_soon_told_ = false;  // since the last code that was looked at
};

}  // namespace cordon::agent
