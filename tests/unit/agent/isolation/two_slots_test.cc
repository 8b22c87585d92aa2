#include "agent/isolation/two_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

constexpr size_t kSector = 512;

std::string ContentOf(const std::string& file) {
  const absl::StatusOr<TwoSlots> read = ReadTwoSlots(file);
  return read.ok() ? read->content : std::string(read.status().message());
}

// What SaveState writes, in its two steps.
void WriteSlot(std::string* file, uint64_t generation, const std::string& content) {
  const std::string slot = MakeSlot(generation, content);
  file->replace(SlotOffset(generation, ReadTwoSlots(*file)->slot_bytes), slot.size(), slot);
}
void WriteHead(std::string* file, uint64_t generation) {
  const std::string head = MakeSlotsHead(generation, ReadTwoSlots(*file)->slot_bytes);
  file->replace(0, head.size(), head);
}
std::string After(uint64_t generations) {
  std::string file = MakeTwoSlots(1, "content 1");
  for (uint64_t generation = 2; generation <= generations; ++generation) {
    WriteSlot(&file, generation, StrCat("content ", generation));
    WriteHead(&file, generation);
  }
  return file;
}

TEST(TwoSlots, GivesTheNewest) {
  for (const uint64_t generations : {1, 2, 3, 8}) {
    const absl::StatusOr<TwoSlots> read = ReadTwoSlots(After(generations));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->generation, generations);
    EXPECT_EQ(read->content, StrCat("content ", generations));
  }
}

TEST(TwoSlots, HasRoomToGrow) {
  const std::string content(100'000, 'x');
  const std::string file = MakeTwoSlots(7, content);
  EXPECT_EQ(ContentOf(file), content);
  EXPECT_GE(ReadTwoSlots(file)->slot_bytes, MakeSlot(8, content + std::string(20'000, 'x')).size());
}

// The power goes after each sector of the new slot, in the order of the disk's choice: the last ones first
// too.
TEST(TwoSlots, ISO9_APowerCutMeanwhileLeavesTheOldOrTheNew) {
  const std::string before = After(4);
  std::string after = before;
  WriteSlot(&after, 5, std::string(3'000, 'n'));
  ASSERT_EQ(ContentOf(before), "content 4");
  ASSERT_EQ(ContentOf(after), std::string(3'000, 'n'));
  const size_t begin = SlotOffset(5, ReadTwoSlots(before)->slot_bytes);
  for (size_t cut = 0; cut <= 8; ++cut) {
    std::string forwards = before;
    forwards.replace(begin, cut * kSector, after, begin, cut * kSector);
    std::string backwards = after;
    backwards.replace(begin, cut * kSector, before, begin, cut * kSector);
    for (const std::string& file : {forwards, backwards}) {
      EXPECT_THAT(ContentOf(file), ::testing::AnyOf("content 4", std::string(3'000, 'n'))) << cut;
    }
  }
}

// The head goes to the disk when the disk likes, or not at all.
TEST(TwoSlots, ISO9_AHeadThatIsLateHidesNothing) {
  std::string file = After(4);
  WriteSlot(&file, 5, "content 5");
  EXPECT_EQ(ContentOf(file), "content 5");
  // Written over now: the slot that the head speaks of. The other one was flushed before.
  std::string torn = file;
  WriteSlot(&torn, 6, "content 6");
  torn[SlotOffset(6, ReadTwoSlots(file)->slot_bytes) + 60] ^= 1;
  EXPECT_EQ(ContentOf(torn), "content 5");
}

// Else a host that was closed would open by the content before.
TEST(TwoSlots, ISO5_WhatWasWholeAndIsNotAnyMoreIsDamage) {
  const std::string file = After(5);
  const size_t begin = SlotOffset(5, ReadTwoSlots(file)->slot_bytes);
  const size_t bytes = MakeSlot(5, "content 5").size();
  for (size_t at = 0; at < bytes; ++at) {
    std::string damaged = file;
    damaged[begin + at] = static_cast<char>(damaged[begin + at] ^ 0x20);
    EXPECT_TRUE(absl::IsDataLoss(ReadTwoSlots(damaged).status())) << at;
  }
}

TEST(TwoSlots, EveryAlteredByteOfTheHeadAndEveryOtherLengthIsDamage) {
  const std::string file = After(2);
  const size_t used = MakeSlotsHead(1, 1).find_last_not_of('\0') + 1;
  for (size_t at = 0; at < used; ++at) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    EXPECT_TRUE(absl::IsDataLoss(ReadTwoSlots(damaged).status())) << at;
  }
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{100}, kSector, file.size() / 2, file.size() - 1}) {
    EXPECT_TRUE(absl::IsDataLoss(ReadTwoSlots(file.substr(0, cut)).status())) << cut;
  }
  EXPECT_TRUE(absl::IsDataLoss(ReadTwoSlots(file + "x").status()));
}

}  // namespace
}  // namespace cordon::agent
