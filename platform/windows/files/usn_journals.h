#pragma once

// The journals of all volumes that hold watched folders: what they tell of the time when no agent ran, and
// what is kept for the next time. Pure, but for what it asks the volumes.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/windows/files/usn_catch_up.h"
#include "platform/windows/files/usn_positions.h"

namespace cordon::platform {

// Not thread-safe, but for Limitations() after Begin().
class UsnJournals {
 public:
  struct Volume {
    std::string name;                                   // stays the same when drive letters change
    std::u16string mounted_at;                          // "C:\"
    absl::StatusOr<std::unique_ptr<UsnVolume>> volume;  // or why its journal cannot be read
  };
  // Keeps the text durably.
  using Save = std::function<absl::Status(const std::string& positions)>;
  struct Saved {
    std::string text;
    int64_t unix_nanos = 0;  // when it was written
  };

  UsnJournals(std::vector<Volume> volumes, Save save);

  // To be called when the live watch stands already: what happened before is caught up with, if `catch_up`,
  // from where `saved` says. A volume of which nothing is saved is new.
  void Begin(const std::optional<Saved>& saved, bool catch_up, int64_t now_unix_nanos);

  // Something that was not told of a volume (TEL-1).
  struct Lost {
    std::u16string mounted_at;
    std::string_view why;  // static
    uint64_t changes = 0;  // 0 = not known
    int64_t since_unix_nanos = 0;
  };
  struct Step {
    std::vector<UsnTold> told;
    std::vector<Lost> lost;
  };
  bool CatchingUp() const { return !running_.empty() || !lost_.empty(); }
  // A piece of work that takes milliseconds.
  Step Next();

  // Where the journals stand now is what Keep() saves: a change that is told takes seconds to its safe place
  // in the spool, so that a Keep() long after its Look() tells some once more after a crash, and loses none.
  // Neither does anything while it catches up.
  void Look(int64_t now_unix_nanos);
  void Keep();

  // Sentences for health.
  std::vector<std::string> Limitations() const { return limitations_; }

 private:
  struct Running {
    const Volume* volume;
    int64_t since_unix_nanos;
    UsnCatchUp catch_up;
  };

  void BeginVolume(Volume& volume, const std::optional<UsnPosition>& from);
  void LookWhereTheyStand(int64_t now_unix_nanos);

  std::vector<Volume> volumes_;
  const Save save_;
  std::vector<Running> running_;
  std::vector<Lost> lost_;
  UsnPositions marked_;  // by the last Look, or by Begin
  std::string kept_;
  std::vector<std::string> limitations_;
};

}  // namespace cordon::platform
