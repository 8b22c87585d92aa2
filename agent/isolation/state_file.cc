#include "agent/isolation/state_file.h"

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>
#include <system_error>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxFileBytes = 4 * kMaxStateBytes + size_t{64} * 1024;

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file) {
  absl::StatusOr<std::string> bytes = platform::ReadFileBounded(file, kMaxFileBytes);
  if (absl::IsOutOfRange(bytes.status())) return absl::DataLossError(bytes.status().message());
  return bytes;
}

absl::StatusOr<TwoSlots> ReadSlots(const std::filesystem::path& file) {
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file));
  return ReadTwoSlots(bytes);
}

// What every Save changes, whoever does it. Empty for a file that is not there; one that cannot be read
// differs from one that can.
std::string VersionOf(uint64_t generation, std::string_view content) {
  return StrCat(generation, " ", Sha256(content));
}
std::string VersionOf(const absl::StatusOr<TwoSlots>& slots) {
  if (absl::IsNotFound(slots.status())) return "";
  return slots.ok() ? VersionOf(slots->generation, slots->content) : slots.status().ToString();
}

// Whether a read with this result says what the file is.
bool CanTell(const absl::Status& read) {
  return read.ok() || absl::IsNotFound(read) || absl::IsDataLoss(read);
}

}  // namespace

absl::StatusOr<v1::IsolationState> StateFile::Load() {
  const absl::StatusOr<TwoSlots> slots = ReadSlots(file_);
  known_ = VersionOf(slots);
  if (!slots.ok()) return slots.status();
  v1::IsolationState state;
  if (!state.ParseFromString(slots->content))
    return absl::DataLossError("the isolation state is of another kind");
  return state;
}

bool StateFile::IsAsKnown() const {
  const absl::StatusOr<TwoSlots> slots = ReadSlots(file_);
  return !CanTell(slots.status()) || VersionOf(slots) == known_;
}

absl::Status StateFile::Save(const v1::IsolationState& state) {
  return SaveOver(ReadSlots(file_), state);
}

absl::Status StateFile::SaveOverKnown(const v1::IsolationState& state) {
  const absl::StatusOr<TwoSlots> slots = ReadSlots(file_);
  if (!CanTell(slots.status())) return slots.status();
  if (VersionOf(slots) != known_)
    return absl::FailedPreconditionError(StrCat(file_.string(), " was changed by another process"));
  return SaveOver(slots, state);
}

absl::Status StateFile::Remove() {
  std::error_code error;
  std::filesystem::remove(file_, error);
  if (error) return absl::UnavailableError(StrCat("cannot remove ", file_.string(), ": ", error.message()));
  known_.clear();
  return absl::OkStatus();
}

absl::Status StateFile::SaveOver(const absl::StatusOr<TwoSlots>& slots, const v1::IsolationState& state) {
  const std::string content = state.SerializeAsString();
  if (content.size() > kMaxStateBytes) return absl::InvalidArgumentError("the isolation state is too large");
  const uint64_t generation = slots.ok() ? slots->generation + 1 : 1;
  const std::string slot = slots.ok() ? MakeSlot(generation, content) : "";
  const bool fits = slots.ok() && slot.size() <= slots->slot_bytes;
  absl::Status saved = fits ? WriteInPlace(generation, slots->slot_bytes, slot)
                            : platform::WriteFileDurably(file_, MakeTwoSlots(generation, content),
                                                         platform::FileAccess::kOwnerOnly);
  if (saved.ok()) known_ = VersionOf(generation, content);
  if (absl::IsDataLoss(saved)) known_ = VersionOf(ReadSlots(file_));
  return saved;
}

// Into the slot of the content before the newest one, which nobody needs any more.
absl::Status StateFile::WriteInPlace(uint64_t generation, uint64_t slot_bytes, const std::string& slot) {
  const uint64_t offset = SlotOffset(generation, slot_bytes);
  if (const absl::Status written = platform::Overwrite(file_, offset, slot, platform::Flush::kNow);
      !written.ok()) {
    // What the disk did not confirm must not be in force at the next start.
    const absl::Status spoilt = platform::Overwrite(file_, offset, kNoSlot, platform::Flush::kNow);
    const absl::StatusOr<TwoSlots> now = ReadSlots(file_);
    if (spoilt.ok() && now.ok() && now->generation < generation) return written;
    return absl::DataLossError(StrCat(Message(written), "; it cannot be taken back: ", Message(spoilt)));
  }
  // The slot is on the disk by now. If this fails, Load finds it all the same.
  const absl::Status noted =
      platform::Overwrite(file_, 0, MakeSlotsHead(generation, slot_bytes), platform::Flush::kLater);
  if (!noted.ok()) spdlog::warn("isolation: {}", Message(noted));
  return absl::OkStatus();
}

absl::StatusOr<v1::IsolationState> LoadState(const std::filesystem::path& file) {
  return StateFile(file).Load();
}

}  // namespace cordon::agent
