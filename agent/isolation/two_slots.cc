#include "agent/isolation/two_slots.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "common/base/strings.h"
#include "common/crypto/sealed.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kHeadMagic = "cordon-isolation-state-v2\n";
constexpr std::string_view kSlotMagic = "cordon-isolation-slot\n";
constexpr size_t kHeadBytes = 512;  // a sector, which disks write whole or not at all
constexpr size_t kSlotsBegin = 4096;
constexpr size_t kNumberBytes = 8;
constexpr size_t kSealBytes = 32;
constexpr uint64_t kSmallestSlot = uint64_t{64} * 1024;
constexpr uint64_t kLargestSlot = uint64_t{1} << 30;

std::string Number(uint64_t value) {
  std::string bytes(kNumberBytes, '\0');
  for (size_t at = kNumberBytes; at > 0; --at, value >>= 8) bytes[at - 1] = static_cast<char>(value & 0xff);
  return bytes;
}

uint64_t NumberAt(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (const char byte : bytes.substr(at, kNumberBytes))
    value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

struct Content {
  uint64_t generation = 0;
  std::string bytes;
};

// Nothing: the slot was never written, was cut by a power cut, or is damaged.
std::optional<Content> ReadSlot(std::string_view slot) {
  const uint64_t length = NumberAt(slot, 0);
  if (length > slot.size() - kNumberBytes) return std::nullopt;
  absl::StatusOr<std::string> body = Unseal(kSlotMagic, slot.substr(kNumberBytes, length));
  if (!body.ok() || body->size() < kNumberBytes) return std::nullopt;
  return Content{.generation = NumberAt(*body, 0), .bytes = body->substr(kNumberBytes)};
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(StrCat("the isolation state is damaged: ", what));
}

}  // namespace

absl::StatusOr<TwoSlots> ReadTwoSlots(std::string_view file) {
  constexpr size_t kSealed = kHeadMagic.size() + kSealBytes + 2 * kNumberBytes;
  static_assert(kSealed <= kHeadBytes);
  const absl::StatusOr<std::string> head = Unseal(kHeadMagic, file.substr(0, kSealed));
  if (!head.ok() || head->size() != 2 * kNumberBytes) return Damaged("it is cut, altered or of another kind");
  const uint64_t slot_bytes = NumberAt(*head, 0);
  const uint64_t whole = NumberAt(*head, kNumberBytes);
  if (slot_bytes < kNumberBytes || slot_bytes > kLargestSlot || file.size() != kSlotsBegin + 2 * slot_bytes) {
    return Damaged("its length is not what its head says");
  }
  TwoSlots read{.slot_bytes = slot_bytes, .generation = 0, .content = {}};
  bool any = false;
  for (const uint64_t slot : {0, 1}) {
    std::optional<Content> content = ReadSlot(file.substr(kSlotsBegin + slot * slot_bytes, slot_bytes));
    if (!content.has_value() || content->generation % 2 != slot) continue;
    if (any && content->generation < read.generation) continue;
    any = true;
    read.generation = content->generation;
    read.content = std::move(content->bytes);
  }
  if (!any || read.generation < whole) return Damaged("its newest content cannot be read");
  return read;
}

std::string MakeTwoSlots(uint64_t generation, std::string_view content) {
  const uint64_t slot_bytes = std::max(kSmallestSlot, std::bit_ceil(content.size() + content.size() / 4));
  std::string file = MakeSlotsHead(generation, slot_bytes);
  file.resize(kSlotsBegin + 2 * slot_bytes, '\0');
  const std::string slot = MakeSlot(generation, content);
  file.replace(SlotOffset(generation, slot_bytes), slot.size(), slot);
  return file;
}

std::string MakeSlot(uint64_t generation, std::string_view content) {
  const std::string sealed = Seal(kSlotMagic, StrCat(Number(generation), content));
  return StrCat(Number(sealed.size()), sealed);
}

uint64_t SlotOffset(uint64_t generation, uint64_t slot_bytes) {
  return kSlotsBegin + generation % 2 * slot_bytes;
}

std::string MakeSlotsHead(uint64_t generation, uint64_t slot_bytes) {
  std::string head = Seal(kHeadMagic, StrCat(Number(slot_bytes), Number(generation)));
  head.resize(kHeadBytes, '\0');
  return head;
}

}  // namespace cordon::agent
