#include "platform/windows/files/usn_catch_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "platform/windows/files/name_bytes.h"
#include "tests/unit/platform_windows/usn_pages.h"

namespace cordon::platform {
namespace {

using cordon::testing::FakeUsnVolume;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using R = UsnRecord;

constexpr bool kFolder = true;

class UsnCatchUpTest : public ::testing::Test {
 protected:
  // Where the agent stopped.
  UsnPosition Here() const { return {.journal = volume_.id, .next_usn = volume_.next, .unix_nanos = 1}; }

  std::vector<std::string> CatchUp(const UsnPosition& from) {
    const UsnJournal now = *volume_.Query();
    UsnCatchUp catch_up(volume_, from, now);
    std::vector<std::string> texts;
    for (int step = 0; !catch_up.Finished() && step < 1'000; ++step) {
      for (const UsnTold& told : catch_up.Step()) texts.push_back(Text(told));
      if (meanwhile_) meanwhile_();
    }
    EXPECT_TRUE(catch_up.Finished());
    lost_ = catch_up.Lost();
    lost_changes_ = catch_up.LostChanges();
    return texts;
  }

  static std::string Text(const UsnTold& told) {
    std::string text = told.kind == RawFileEvent::kCreated    ? "created"
                       : told.kind == RawFileEvent::kModified ? "modified"
                       : told.kind == RawFileEvent::kDeleted  ? "deleted"
                       : told.kind == RawFileEvent::kRenamed  ? "renamed"
                                                              : "attributes";
    if (!told.old_path.empty()) text += StrCat(" ", BytesOfUnits(told.old_path), " ->");
    return StrCat(text, " ", BytesOfUnits(told.path));
  }

  FakeUsnVolume volume_;
  std::function<void()> meanwhile_;
  std::string lost_;
  uint64_t lost_changes_ = 0;
};

TEST_F(UsnCatchUpTest, TellsWhatChangedSinceThePosition) {
  volume_.Happens(1, 50, u"before", R::kFileCreate | R::kClose);
  const UsnPosition from = Here();
  volume_.Happens(2, 50, u"a", R::kFileCreate);
  volume_.Happens(2, 50, u"a", R::kFileCreate | R::kDataExtend);
  volume_.Happens(2, 50, u"a", R::kFileCreate | R::kDataExtend | R::kClose);
  volume_.Happens(3, 5, u"b", R::kRenameOldName);
  volume_.Happens(3, 50, u"c", R::kRenameNewName | R::kClose);
  volume_.Happens(1, 50, u"before", R::kFileDelete | R::kClose);
  EXPECT_THAT(CatchUp(from), ElementsAre("created C:\\Users\\a", "modified C:\\Users\\a",
                                         "renamed C:\\b -> C:\\Users\\c", "deleted C:\\Users\\before"));
  EXPECT_EQ(lost_, "");
}

TEST_F(UsnCatchUpTest, NothingIsReadWhenNothingChanged) {
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  EXPECT_THAT(CatchUp(Here()), IsEmpty());
  EXPECT_EQ(volume_.reads, 0);
  EXPECT_EQ(lost_, "");
}

// Nobody can be asked for a folder that is gone; the journal has its name.
TEST_F(UsnCatchUpTest, BelowDeletedFoldersPathsComeFromTheJournal) {
  const UsnPosition from = Here();
  volume_.Happens(60, 50, u"ann", R::kFileCreate | R::kClose, kFolder);
  volume_.Happens(61, 60, u"docs", R::kFileCreate | R::kClose, kFolder);
  volume_.Happens(2, 61, u"x", R::kFileDelete | R::kClose);
  volume_.Happens(61, 60, u"docs", R::kFileDelete | R::kClose, kFolder);
  volume_.Happens(60, 50, u"ann", R::kFileDelete | R::kClose, kFolder);
  EXPECT_THAT(CatchUp(from), ElementsAre("created C:\\Users\\ann", "created C:\\Users\\ann\\docs",
                                         "deleted C:\\Users\\ann\\docs\\x", "deleted C:\\Users\\ann\\docs",
                                         "deleted C:\\Users\\ann"));
  EXPECT_EQ(lost_, "");
}

// The live watch tells what comes after the position that it began with.
TEST_F(UsnCatchUpTest, WhatHappensMeanwhileIsNotTold) {
  const UsnPosition from = Here();
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  uint64_t file = 100;
  meanwhile_ = [&] { volume_.Happens(++file, 50, u"later", R::kFileCreate | R::kClose); };
  EXPECT_THAT(CatchUp(from), ElementsAre("created C:\\Users\\a"));
}

TEST_F(UsnCatchUpTest, AFolderThatGoesMeanwhileIsFoundInTheJournal) {
  volume_.folders[60] = u"C:\\Users\\temp";
  const UsnPosition from = Here();
  volume_.Happens(1, 60, u"a", R::kFileCreate | R::kClose);
  meanwhile_ = [&] {
    if (volume_.folders.erase(60) > 0) volume_.Happens(60, 50, u"temp", R::kFileDelete | R::kClose, kFolder);
  };
  EXPECT_THAT(CatchUp(from), ElementsAre("created C:\\Users\\temp\\a"));
  EXPECT_EQ(lost_, "");
}

TEST_F(UsnCatchUpTest, TEL1_AChangeWithoutAFolderIsCounted) {
  const UsnPosition from = Here();
  volume_.Happens(1, 77, u"nowhere", R::kFileCreate | R::kClose);
  volume_.Happens(2, 50, u"a", R::kFileCreate | R::kClose);
  EXPECT_THAT(CatchUp(from), ElementsAre("created C:\\Users\\a"));
  EXPECT_EQ(lost_, "the folders of some changes cannot be told");
  EXPECT_EQ(lost_changes_, 1U);
}

TEST_F(UsnCatchUpTest, FoldersThatAreTheirOwnParentsEndIt) {
  const UsnPosition from = Here();
  volume_.Happens(60, 61, u"a", R::kFileDelete | R::kClose, kFolder);
  volume_.Happens(61, 60, u"b", R::kFileDelete | R::kClose, kFolder);
  EXPECT_THAT(CatchUp(from), IsEmpty());
  EXPECT_EQ(lost_changes_, 2U);
}

TEST_F(UsnCatchUpTest, TEL1_AnotherJournalIsSaid) {
  const UsnPosition from = Here();
  volume_.id = 8;
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  EXPECT_THAT(CatchUp(from), IsEmpty());
  EXPECT_EQ(lost_, "the volume's journal was deleted and made anew");
}

TEST_F(UsnCatchUpTest, TEL1_RecordsThatAreNoLongerKeptAreSaid) {
  const UsnPosition from = Here();
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  volume_.Happens(2, 50, u"b", R::kFileCreate | R::kClose);
  volume_.Forgets(200);
  EXPECT_THAT(CatchUp(from), IsEmpty());
  EXPECT_EQ(lost_, "the volume's journal does not reach back so far");
}

TEST_F(UsnCatchUpTest, TEL1_RecordsThatGoWhileItReadsAreSaid) {
  const UsnPosition from = Here();
  for (uint64_t file = 1; file < 8; ++file) volume_.Happens(file, 50, u"a", R::kFileCreate | R::kClose);
  meanwhile_ = [&] { volume_.Forgets(volume_.next); };
  CatchUp(from);
  EXPECT_EQ(lost_, "the volume's journal does not reach back so far");
}

TEST_F(UsnCatchUpTest, TEL1_AVolumeThatWasSetBackIsSaid) {
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  UsnPosition from = Here();
  from.next_usn += 1'000;
  EXPECT_THAT(CatchUp(from), IsEmpty());
  EXPECT_EQ(lost_, "the volume was set back to an earlier state");
}

TEST_F(UsnCatchUpTest, TEL1_AJournalThatEndsInTheMiddleIsSaid) {
  const UsnPosition from = Here();
  for (uint64_t file = 1; file < 8; ++file) volume_.Happens(file, 50, u"a", R::kFileCreate | R::kClose);
  meanwhile_ = [&] { volume_.works = absl::UnavailableError("being deleted"); };
  CatchUp(from);
  EXPECT_EQ(lost_, "the volume's journal cannot be read");
}

}  // namespace
}  // namespace cordon::platform
