#include "platform/windows/files/file_deeds.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

using Record = FileTraceRecord;
using Event = RawFileEvent;

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint32_t kAnn = 100;
constexpr uint32_t kBob = 200;
const std::u16string kDevice = u"\\Device\\HarddiskVolume3\\Users\\";

class FileDeedsTest : public ::testing::Test {
 protected:
  FileDeedsTest() { Watch(deeds_); }
  static void Watch(FileDeeds& deeds) {
    deeds.Watch(DevicePaths({{u"\\Device\\HarddiskVolume3\\Users", "C:/Users"}}), {"C:/Users/State"});
  }

  // The kernel's trace; each step is a tenth of a second later.
  void Trace(Record record, uint32_t pid) {
    now_ += kSecond / 10;
    deeds_.Take(record, pid, now_);
  }
  void Open(uint64_t object, const std::u16string& name, uint32_t pid, bool overwrites = false) {
    Trace({.kind = Record::kOpen, .object = object, .overwrites = overwrites, .path = kDevice + name}, pid);
  }
  void Make(uint64_t object, const std::u16string& name, uint32_t pid) {
    Open(object, name, pid);
    Trace({.kind = Record::kMake, .object = object, .path = kDevice + name}, pid);
  }
  void Write(uint64_t object, uint32_t pid, uint64_t key = 0) {
    Trace({.kind = Record::kWrite, .object = object, .key = key}, pid);
  }
  void Close(uint64_t object, uint32_t pid) { Trace({.kind = Record::kClose, .object = object}, pid); }
  void Delete(const std::u16string& name, uint32_t pid) {
    Trace({.kind = Record::kDelete, .path = kDevice + name}, pid);
  }
  void Rename(uint64_t object, const std::u16string& to, uint32_t pid, uint64_t key = 0) {
    Trace({.kind = Record::kRename, .object = object, .key = key, .path = kDevice + to}, pid);
  }

  // A watch tells it now.
  uint32_t Doer(Event::Kind kind, const std::string& name, const std::string& old_name = "") const {
    return DoerAt(now_, kind, name, old_name);
  }
  uint32_t DoerAt(int64_t when, Event::Kind kind, const std::string& name,
                  const std::string& old_name = "") const {
    Event event{.kind = kind, .boottime_nanos = when};
    if (!name.empty()) event.path = "C:/Users/" + name;
    if (!old_name.empty()) event.old_path = "C:/Users/" + old_name;
    const std::optional<FileDoer> doer = deeds_.Find(event);
    return doer.has_value() ? doer->pid : 0;
  }

  FileDeeds deeds_;
  int64_t now_ = 1'000 * kSecond;
};

TEST_F(FileDeedsTest, WhoMakesWritesAndDeletesAFile) {
  Make(1, u"a.txt", kAnn);
  EXPECT_EQ(Doer(Event::kCreated, "a.txt"), kAnn);
  Write(1, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn);
  Close(1, kAnn);
  Delete(u"a.txt", kBob);
  EXPECT_EQ(Doer(Event::kDeleted, "a.txt"), kBob);
  EXPECT_EQ(Doer(Event::kCreated, "b.txt"), 0U);
}

TEST_F(FileDeedsTest, CapitalsDoNotCount) {
  Make(1, u"ANN\\A.TXT", kAnn);
  EXPECT_EQ(Doer(Event::kCreated, "Ann/a.txt"), kAnn);
}

TEST_F(FileDeedsTest, OpeningAloneIsNoDeed) {
  Open(1, u"a.txt", kAnn);
  EXPECT_EQ(Doer(Event::kCreated, "a.txt"), 0U);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U);
  Close(1, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U);
}

TEST_F(FileDeedsTest, ADeedIsOfItsKind) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  Delete(u"a.txt", kBob);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn) << "Bob deleted it";
  EXPECT_EQ(Doer(Event::kRenamed, "a.txt"), 0U);
  EXPECT_EQ(Doer(Event::kCreated, "a.txt"), 0U);
}

TEST_F(FileDeedsTest, OfSeveralTheLastBeforeTheChangeWasRead) {
  Open(1, u"a.txt", kAnn);
  Open(2, u"a.txt", kBob);
  Write(1, kAnn);
  const int64_t first = now_;
  Write(2, kBob);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kBob);
  EXPECT_EQ(DoerAt(first + kSecond / 20, Event::kModified, "a.txt"), kAnn) << "Bob had not written yet";
}

TEST_F(FileDeedsTest, WhoWritesOnAndOnIsTheDoerAllTheTime) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  const int64_t first = now_;
  for (int more = 0; more < 20; ++more) Write(1, kAnn);
  EXPECT_EQ(DoerAt(first, Event::kModified, "a.txt"), kAnn);
  EXPECT_EQ(DoerAt(first + kSecond, Event::kModified, "a.txt"), kAnn);
  const std::optional<FileDoer> doer =
      deeds_.Find({.kind = Event::kModified, .path = "C:/Users/a.txt", .boottime_nanos = first + kSecond});
  ASSERT_TRUE(doer.has_value());
  EXPECT_EQ(doer->boottime_nanos, first + kSecond) << "not later than the change was read";
}

TEST_F(FileDeedsTest, WhatWasDoneLongBeforeIsNotIt) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  const int64_t written = now_;
  EXPECT_EQ(DoerAt(written + FileDeeds::kRecent, Event::kModified, "a.txt"), kAnn);
  EXPECT_EQ(DoerAt(written + FileDeeds::kRecent + 1, Event::kModified, "a.txt"), 0U);
  now_ += 10 * kSecond;
  Write(1, kAnn);
  EXPECT_EQ(DoerAt(written + 5 * kSecond, Event::kModified, "a.txt"), 0U) << "between two writings";
}

// What was written is seen by others when the file is closed, which may be much later, and by somebody else.
TEST_F(FileDeedsTest, ClosingTellsWhoWrote) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  now_ += 60 * kSecond;
  Close(1, kBob);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn);
}

TEST_F(FileDeedsTest, OverwritingCountsWhenItIsSureThatItSucceeded) {
  Open(1, u"a.txt", kAnn, /*overwrites=*/true);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U) << "it may have been refused";
  Close(1, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn);
}

TEST_F(FileDeedsTest, DeletingOnCloseIsADeed) {
  Trace({.kind = Record::kOpen, .object = 1, .deletes_on_close = true, .path = kDevice + u"a.txt"}, kAnn);
  EXPECT_EQ(Doer(Event::kDeleted, "a.txt"), 0U);
  Close(1, kAnn);
  EXPECT_EQ(Doer(Event::kDeleted, "a.txt"), kAnn);
}

TEST_F(FileDeedsTest, SettingInformationChanges) {
  Open(1, u"a.txt", kAnn);
  Trace({.kind = Record::kSetInformation, .object = 1}, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn);
}

// As editors save: a new file takes the place of the old one.
TEST_F(FileDeedsTest, Renaming) {
  Make(1, u"a.tmp", kAnn);
  Write(1, kAnn);
  Rename(1, u"a.txt", kAnn);
  EXPECT_EQ(Doer(Event::kRenamed, "a.txt", "a.tmp"), kAnn);
  EXPECT_EQ(Doer(Event::kRenamed, "", "a.tmp"), kAnn) << "half of it, as a move out of the folder";
  EXPECT_EQ(Doer(Event::kDeleted, "a.tmp"), kAnn) << "a move to another folder is told as removed here";
  EXPECT_EQ(Doer(Event::kCreated, "a.txt"), kAnn) << "and as added there";
  EXPECT_EQ(Doer(Event::kDeleted, "a.txt"), kAnn) << "what was there before is gone";
  now_ += 10 * kSecond;
  Close(1, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn) << "the opening has the new name";
  EXPECT_EQ(Doer(Event::kModified, "a.tmp"), 0U);
}

TEST_F(FileDeedsTest, AFileThatComesFromElsewhereIsKnownFromThenOn) {
  Trace({.kind = Record::kOpen, .object = 1, .path = u"\\Device\\HarddiskVolume3\\Temp\\a"}, kAnn);
  Rename(1, u"a.txt", kAnn, /*key=*/7);
  EXPECT_EQ(Doer(Event::kCreated, "a.txt"), kAnn);
  now_ += 10 * kSecond;
  Write(1, kBob);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kBob);
}

TEST_F(FileDeedsTest, WhatIsOpenBelowARenamedFolderIsNotTakenForWhatComesInItsPlace) {
  Open(1, u"old\\a.txt", kAnn);
  Open(2, u"old", kBob);
  Rename(2, u"new", kBob);
  Write(1, kAnn, /*key=*/7);
  EXPECT_EQ(Doer(Event::kModified, "old/a.txt"), 0U);
  EXPECT_EQ(Doer(Event::kRenamed, "new", "old"), kBob);
}

TEST_F(FileDeedsTest, LinkingMakesAName) {
  Trace({.kind = Record::kLink, .object = 1, .path = kDevice + u"b.txt"}, kAnn);
  EXPECT_EQ(Doer(Event::kCreated, "b.txt"), kAnn);
}

TEST_F(FileDeedsTest, AFileIsKnownByItsKeyToWhoeverHadItOpen) {
  Write(5, kBob, /*key=*/7);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U) << "nobody has said which file that is";
  Trace({.kind = Record::kName, .key = 7, .path = kDevice + u"a.txt"}, kAnn);
  Write(5, kBob, 7);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kBob);
  Trace({.kind = Record::kNameGone, .key = 7, .path = kDevice + u"a.txt"}, kAnn);
  now_ += 10 * kSecond;
  Write(5, kBob, 7);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U) << "the key may stand for another file now";
}

TEST_F(FileDeedsTest, AnOpeningTellsOfWhichFileAKeyIs) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn, /*key=*/7);
  Write(5, kBob, 7);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kBob) << "who had it open before the trace began";
}

TEST_F(FileDeedsTest, AnAddressThatIsUsedAgainIsAnotherFile) {
  Open(1, u"a.txt", kAnn);
  Trace({.kind = Record::kOpen, .object = 1, .path = u"\\Device\\HarddiskVolume3\\Temp\\b"}, kBob);
  Write(1, kBob);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U);
}

TEST_F(FileDeedsTest, WhoeverIsNotKnownHidesWhoWasBefore) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  Write(1, 0);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U);
}

TEST_F(FileDeedsTest, WhatWasLostMakesNobodyTheDoer) {
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  deeds_.Forget();
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U);
  Write(1, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), 0U) << "another file may have that address";
  Open(1, u"a.txt", kAnn);
  Write(1, kAnn);
  EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn);
}

TEST_F(FileDeedsTest, NothingOfWhatIsExcludedOrElsewhere) {
  Make(1, u"state\\agent.db", kAnn);
  Trace({.kind = Record::kMake, .object = 2, .path = u"\\Device\\HarddiskVolume3\\Windows\\a"}, kAnn);
  EXPECT_EQ(deeds_.Paths(), 0U);
  EXPECT_EQ(deeds_.Open(), 0U);
}

TEST_F(FileDeedsTest, WhatHappenedBeforeAndTheRegistryAreNobodys) {
  Make(1, u"a.txt", kAnn);
  EXPECT_FALSE(
      deeds_
          .Find(
              {.kind = Event::kCreated, .path = "C:/Users/a.txt", .boottime_nanos = now_, .while_away = true})
          .has_value());
  EXPECT_FALSE(
      deeds_.Find({.kind = Event::kOverflow, .path = "C:/Users/a.txt", .boottime_nanos = now_}).has_value());
}

TEST_F(FileDeedsTest, IsBoundedInNumberAndAge) {
  FileDeeds deeds({.paths = 10, .open = 20, .kept_nanos = 30 * kSecond});
  Watch(deeds);
  for (uint64_t at = 1; at <= 1'000; ++at) {
    const std::u16string path = kDevice + u"f" + std::u16string(at, u'x');
    deeds.Take({.kind = Record::kMake, .object = at, .path = path}, kAnn, now_);
    deeds.Take({.kind = Record::kWrite, .object = at, .key = at}, kAnn, now_);
    EXPECT_LE(deeds.Paths(), 11U);
    EXPECT_LE(deeds.Open(), 80U);
  }
  EXPECT_TRUE(deeds
                  .Find({.kind = Event::kCreated,
                         .path = "C:/Users/f" + std::string(1'000, 'x'),
                         .boottime_nanos = now_})
                  .has_value())
      << "the newest is kept";
  deeds.Take({.kind = Record::kName, .key = 1, .path = u""}, kAnn, now_ + 31 * kSecond);
  EXPECT_EQ(deeds.Paths(), 0U);
}

TEST_F(FileDeedsTest, APathThatIsInUseOutlivesItsAge) {
  Open(1, u"a.txt", kAnn);
  for (int second = 0; second < 100; ++second) {
    now_ += kSecond;
    Write(1, kAnn);
    EXPECT_EQ(Doer(Event::kModified, "a.txt"), kAnn);
    EXPECT_EQ(deeds_.Paths(), 1U);
  }
}

}  // namespace
}  // namespace cordon::platform
