#pragma once

// A small file whose content changes by one write in place and one flush of the disk, and which holds the old
// or the new content, whole, whatever moment the power goes (decision 0048). Pure: bytes to bytes.
//
//   head   512 bytes: "cordon-isolation-state-v2\n" || SHA-256 of the rest || slot size (u64) || generation
//   (u64)
//          of the newest content that was seen on the disk; zeros. Written after the flush, without another
//          one.
//   slot 0 at 4096, slot 1 behind it, each of the slot size, a multiple of 4096
//          length of what follows (u64) || "cordon-isolation-slot\n" || SHA-256 of the rest || generation ||
//          content
// Content of generation n stands in slot n mod 2, so that writing n + 1 never touches it. Numbers are
// big-endian.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cordon::agent {

struct TwoSlots {
  uint64_t slot_bytes = 0;
  uint64_t generation = 0;  // of `content`
  std::string content;
};

// The newest content that is whole. DATA_LOSS when it is no such file, when its head is damaged, or when what
// the head calls whole is not: an older content is never taken for one that was lost after it was whole.
absl::StatusOr<TwoSlots> ReadTwoSlots(std::string_view file);

// A new file, with room for the content to grow.
std::string MakeTwoSlots(uint64_t generation, std::string_view content);

// What to write, and where, for the content of a generation to be there.
std::string MakeSlot(uint64_t generation, std::string_view content);
// At the beginning of a slot: it holds no content.
inline constexpr std::string_view kNoSlot = "\xff\xff\xff\xff\xff\xff\xff\xff";
uint64_t SlotOffset(uint64_t generation, uint64_t slot_bytes);
// And then at the beginning.
std::string MakeSlotsHead(uint64_t generation, uint64_t slot_bytes);

}  // namespace cordon::agent
