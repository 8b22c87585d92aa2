#pragma once

// isolation.state on the disk: two_slots.h, with a serialised v1.IsolationState as content.

#include <absl/status/statusor.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "agent/isolation/two_slots.h"
#include "cordon/v1/local.pb.h"

namespace cordon::agent {

inline constexpr const char* kIsolationStateFile = "isolation.state";  // in the agent's state folder
inline constexpr size_t kMaxStateBytes = size_t{8} * 1024 * 1024;

// Remembers what it read or wrote last, so that it can tell whether somebody else has written since. One
// thread at a time; one writer at a time, too: whoever holds the isolation lock.
class StateFile {
 public:
  explicit StateFile(std::filesystem::path file) : file_(std::move(file)) {}

  // NOT_FOUND when there is none, DATA_LOSS when what it says cannot be trusted, else what the system says.
  absl::StatusOr<v1::IsolationState> Load();

  // When this returns OK, Load gives `state`, also after a power cut. After DATA_LOSS it gives `state` or
  // what it gave before, and after a power cut perhaps the other; after another error, what it gave before.
  // After a power cut meanwhile, one of both.
  absl::Status Save(const v1::IsolationState& state);
  // The same, but FAILED_PRECONDITION, and nothing is written, where IsAsKnown is false.
  absl::Status SaveOverKnown(const v1::IsolationState& state);
  // As before the first Save: Load gives NOT_FOUND, after a power cut perhaps what was there.
  absl::Status Remove();

  // Whether it is as it was when it was last read or written here; before that, as long as there is none.
  // True where that cannot be told, because it cannot be read.
  bool IsAsKnown() const;

 private:
  absl::Status SaveOver(const absl::StatusOr<TwoSlots>& slots, const v1::IsolationState& state);
  absl::Status WriteInPlace(uint64_t generation, uint64_t slot_bytes, const std::string& slot);

  std::filesystem::path file_;
  std::string known_;  // see VersionOf
};

absl::StatusOr<v1::IsolationState> LoadState(const std::filesystem::path& file);

}  // namespace cordon::agent
