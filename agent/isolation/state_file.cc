#include "agent/isolation/state_file.h"

#include <spdlog/spdlog.h>

#include <string>

#include "agent/isolation/two_slots.h"
#include "common/base/status.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxFileBytes = 4 * kMaxStateBytes + size_t{64} * 1024;

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file) {
  absl::StatusOr<std::string> bytes = platform::ReadFileBounded(file, kMaxFileBytes);
  if (absl::IsOutOfRange(bytes.status())) return absl::DataLossError(bytes.status().message());
  return bytes;
}

// The slot is on the disk by now. If this fails, LoadState finds it all the same.
void NoteThatItIsWhole(const std::filesystem::path& file, const TwoSlots& before) {
  const absl::Status noted = platform::Overwrite(
      file, 0, MakeSlotsHead(before.generation + 1, before.slot_bytes), platform::Flush::kLater);
  if (!noted.ok()) spdlog::warn("isolation: {}", Message(noted));
}

}  // namespace

absl::StatusOr<v1::IsolationState> LoadState(const std::filesystem::path& file) {
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file));
  CORDON_ASSIGN_OR_RETURN(const TwoSlots slots, ReadTwoSlots(bytes));
  v1::IsolationState state;
  if (!state.ParseFromString(slots.content))
    return absl::DataLossError("the isolation state is of another kind");
  return state;
}

absl::Status SaveState(const std::filesystem::path& file, const v1::IsolationState& state) {
  const std::string content = state.SerializeAsString();
  if (content.size() > kMaxStateBytes) return absl::InvalidArgumentError("the isolation state is too large");
  const absl::StatusOr<std::string> bytes = ReadFile(file);
  const absl::StatusOr<TwoSlots> slots = bytes.ok() ? ReadTwoSlots(*bytes) : bytes.status();
  const std::string slot = slots.ok() ? MakeSlot(slots->generation + 1, content) : "";
  if (!slots.ok() || slot.size() > slots->slot_bytes) {
    const uint64_t generation = slots.ok() ? slots->generation + 1 : 1;
    return platform::WriteFileDurably(file, MakeTwoSlots(generation, content),
                                      platform::FileAccess::kOwnerOnly);
  }
  CORDON_RETURN_IF_ERROR(platform::Overwrite(file, SlotOffset(slots->generation + 1, slots->slot_bytes), slot,
                                             platform::Flush::kNow));
  NoteThatItIsWhole(file, *slots);
  return absl::OkStatus();
}

}  // namespace cordon::agent
