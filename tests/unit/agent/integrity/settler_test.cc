#include "agent/integrity/settler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/integrity/file_facts.h"
#include "common/base/clock.h"

namespace cordon::agent {
namespace {

using platform::RawFileEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A settler with a clock, told in the words of a person.
class World {
 public:
  explicit World(SettleLimits limits = {}) : settler(limits) {}

  void Happens(RawFileEvent::Kind kind, const std::string& path, uint32_t pid = 7,
               const std::string& old_path = "", bool folder = false) {
    const RawFileEvent event{.kind = kind,
                             .is_directory = folder,
                             .path = path,
                             .old_path = old_path,
                             .pid = pid,
                             .boottime_nanos = now};
    for (SettledPath& settled : settler.Add(event, now)) Tell(settled, false);
  }
  void Pass(int64_t millis) {
    now += millis * kNanosPerMilli;
    for (SettledPath& settled : settler.TakeSettled(now, 1000)) Tell(settled, exists);
  }
  void Tell(const SettledPath& settled, bool there) {
    FoundFile found{.exists = there, .state = {}, .hash_skipped = there ? "" : "gone"};
    if (there) found.state.set_sha256("hash");
    for (const FileFact& fact : TellFacts(settled, found)) {
      const v1::FileChanged& change = fact.change;
      std::string text = v1::FileChanged::Change_Name(change.change()).substr(7);
      if (!change.old_path().empty()) text += " " + change.old_path() + " ->";
      text += " " + change.path() + " by " + std::to_string(change.pid());
      if (change.repeats() > 0) text += " x" + std::to_string(change.repeats());
      if (!change.state().sha256().empty()) text += " hashed";
      told.push_back(text);
    }
  }

  Settler settler;
  int64_t now = 1'000 * kNanosPerSecond;
  bool exists = true;  // when the path settles
  std::vector<std::string> told;
};

TEST(Settler, CreateWriteCloseIsOneCreationWithTheFinalHash) {
  World world;
  world.Happens(RawFileEvent::kCreated, "/a");
  world.Happens(RawFileEvent::kModified, "/a");
  world.Happens(RawFileEvent::kClosedWrite, "/a");
  world.Pass(499);
  EXPECT_THAT(world.told, IsEmpty());
  world.Pass(1);
  EXPECT_THAT(world.told, ElementsAre("CREATED /a by 7 x3 hashed"));
  EXPECT_EQ(world.settler.PendingPaths(), 0U);
}

TEST(Settler, CreateAndDeleteWithinTheWindowAreBothTold) {
  World world;
  world.exists = false;
  world.Happens(RawFileEvent::kCreated, "/a");
  world.Happens(RawFileEvent::kDeleted, "/a");
  world.Pass(500);
  EXPECT_THAT(world.told, ElementsAre("CREATED /a by 7", "DELETED /a by 7"));
}

TEST(Settler, DeleteAndCreateAgainAreToldInThatOrder) {
  World world;
  world.Happens(RawFileEvent::kDeleted, "/a");
  world.Happens(RawFileEvent::kCreated, "/a");
  world.Pass(500);
  EXPECT_THAT(world.told, ElementsAre("DELETED /a by 7", "CREATED /a by 7 hashed"));
}

TEST(Settler, AnAtomicReplacementIsSeenAsSuch) {
  World world;
  world.Happens(RawFileEvent::kCreated, "/a.tmp");
  world.Happens(RawFileEvent::kClosedWrite, "/a.tmp");
  world.Happens(RawFileEvent::kRenamed, "/a", 7, "/a.tmp");
  EXPECT_THAT(world.told, ElementsAre("CREATED /a.tmp by 7 x2"));
  world.Pass(500);
  EXPECT_THAT(world.told, ElementsAre("CREATED /a.tmp by 7 x2", "RENAMED /a.tmp -> /a by 7 hashed"));
}

TEST(Settler, EachWriterIsTold) {
  World world;
  world.Happens(RawFileEvent::kClosedWrite, "/log", 1);
  world.Happens(RawFileEvent::kClosedWrite, "/log", 2);
  world.Happens(RawFileEvent::kClosedWrite, "/log", 1);
  world.Pass(500);
  EXPECT_THAT(world.told, ElementsAre("MODIFIED /log by 1 x2 hashed", "MODIFIED /log by 2 hashed"));
}

TEST(Settler, AFileThatIsNeverQuietSettlesAfterTheLongestTime) {
  World world;
  for (int i = 0; i < 11; ++i) {
    world.Happens(RawFileEvent::kModified, "/busy");
    world.Pass(400);
  }
  EXPECT_THAT(world.told, IsEmpty());
  for (int i = 0; i < 2; ++i) {
    world.Happens(RawFileEvent::kModified, "/busy");
    world.Pass(400);
  }
  EXPECT_THAT(world.told, ElementsAre("MODIFIED /busy by 7 x13 hashed"));
}

TEST(Settler, WhatIsPendingBelowAFolderThatMovesIsToldThere) {
  World world;
  world.Happens(RawFileEvent::kCreated, "/d/a");
  world.Happens(RawFileEvent::kRenamed, "/e", 7, "/d", /*folder=*/true);
  world.Pass(500);
  EXPECT_THAT(world.told,
              ::testing::UnorderedElementsAre("CREATED /e/a by 7 hashed", "RENAMED /d -> /e by 7 hashed"));
}

TEST(Settler, AFolderMayMoveBelowItsOldNameWhereAnotherOneIsByNow) {
  World world;
  world.Happens(RawFileEvent::kCreated, "/h/z/a");
  world.Happens(RawFileEvent::kCreated, "/h/z/b");
  world.Happens(RawFileEvent::kCreated, "/h/z/z/a");
  world.Happens(RawFileEvent::kRenamed, "/h/z/z", 7, "/h/z", /*folder=*/true);
  world.Pass(500);
  EXPECT_THAT(world.told, ::testing::UnorderedElementsAre(
                              "CREATED /h/z/z/a by 7 hashed", "CREATED /h/z/z/b by 7 hashed",
                              "CREATED /h/z/z/z/a by 7 hashed", "RENAMED /h/z -> /h/z/z by 7 hashed"));
  EXPECT_EQ(world.settler.NextDue(), std::nullopt);
}

TEST(Settler, HalfARenameIsACreationOrADeletion) {
  World world;
  world.Happens(RawFileEvent::kRenamed, "/in", 7, "");
  world.Pass(500);
  world.exists = false;
  world.Happens(RawFileEvent::kRenamed, "", 7, "/out");
  world.Pass(500);
  EXPECT_THAT(world.told, ElementsAre("CREATED /in by 7 hashed", "DELETED /out by 7"));
}

TEST(Settler, AttributesAloneAreToldAndBesideWritingAreNot) {
  World world;
  world.Happens(RawFileEvent::kAttributes, "/a");
  world.Happens(RawFileEvent::kAttributes, "/b");
  world.Happens(RawFileEvent::kModified, "/b");
  world.Pass(500);
  EXPECT_THAT(world.told, ElementsAre("ATTRIBUTES /a by 7 hashed", "MODIFIED /b by 7 x2 hashed"));
}

TEST(Settler, AFullTableSettlesItsOldestEarly) {
  World world({.max_paths = 3});
  for (const char* path : {"/1", "/2", "/3"}) {
    world.Happens(RawFileEvent::kModified, path);
    world.now += kNanosPerMilli;
  }
  EXPECT_TRUE(world.settler.Full());
  world.Pass(0);
  EXPECT_THAT(world.told, ElementsAre("MODIFIED /1 by 7 hashed"));
  EXPECT_FALSE(world.settler.Full());
}

TEST(Settler, APathWithTooManyWritersSettlesEarly) {
  World world({.max_actors = 4});
  for (uint32_t pid = 1; pid <= 4; ++pid) world.Happens(RawFileEvent::kModified, "/log", pid);
  world.Pass(0);
  EXPECT_EQ(world.told.size(), 4U);
}

}  // namespace
}  // namespace cordon::agent
