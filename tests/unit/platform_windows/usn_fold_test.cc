#include "platform/windows/files/usn_fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "platform/windows/files/name_bytes.h"

namespace cordon::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using R = UsnRecord;

class Journal {
 public:
  // One record; what it makes, in words.
  std::vector<std::string> Add(uint32_t reason, const std::u16string& name = u"a", uint64_t file = 1,
                               bool is_directory = false) {
    std::vector<std::string> told;
    const UsnRecord record{.file = {file, 0},
                           .parent = {5, 0},
                           .usn = 0,
                           .file_time = 9,
                           .reason = reason,
                           .is_directory = is_directory,
                           .name = name};
    for (const UsnChange& change : fold_.Add(record)) told.push_back(Text(change));
    return told;
  }

 private:
  static std::string Text(const UsnChange& change) {
    const std::string name = BytesOfUnits(change.at.name);
    switch (change.kind) {
      case RawFileEvent::kCreated:
        return StrCat("created ", name);
      case RawFileEvent::kModified:
        return StrCat("modified ", name);
      case RawFileEvent::kDeleted:
        return StrCat("deleted ", name);
      case RawFileEvent::kRenamed:
        return StrCat("renamed ", BytesOfUnits(change.old.name), " -> ", name);
      default:
        return StrCat("attributes ", name);
    }
  }

  UsnFold fold_;
};

TEST(UsnFold, ReasonsThatAddUpAreToldOnce) {
  Journal journal;
  EXPECT_THAT(journal.Add(R::kFileCreate), ElementsAre("created a"));
  EXPECT_THAT(journal.Add(R::kFileCreate | R::kDataExtend), ElementsAre("modified a"));
  EXPECT_THAT(journal.Add(R::kFileCreate | R::kDataExtend | R::kClose), IsEmpty());
  EXPECT_THAT(journal.Add(R::kDataOverwrite), ElementsAre("modified a")) << "opened anew";
  EXPECT_THAT(journal.Add(R::kDataOverwrite | R::kBasicInfoChange | R::kClose), ElementsAre("attributes a"));
  EXPECT_THAT(journal.Add(R::kFileDelete | R::kClose), ElementsAre("deleted a"));
}

TEST(UsnFold, TwoNamesAreOneRename) {
  Journal journal;
  EXPECT_THAT(journal.Add(R::kRenameOldName, u"a"), IsEmpty());
  EXPECT_THAT(journal.Add(R::kRenameNewName, u"b"), ElementsAre("renamed a -> b"));
  EXPECT_THAT(journal.Add(R::kRenameNewName | R::kClose, u"b"), IsEmpty());
}

TEST(UsnFold, TwoRenamesBeforeTheCloseAreTwo) {
  Journal journal;
  journal.Add(R::kRenameOldName, u"a");
  EXPECT_THAT(journal.Add(R::kRenameNewName, u"b"), ElementsAre("renamed a -> b"));
  EXPECT_THAT(journal.Add(R::kRenameOldName | R::kRenameNewName, u"b"), IsEmpty());
  EXPECT_THAT(journal.Add(R::kRenameOldName | R::kRenameNewName, u"c"), ElementsAre("renamed b -> c"));
  EXPECT_THAT(journal.Add(R::kRenameOldName | R::kRenameNewName | R::kClose, u"c"), IsEmpty());
}

TEST(UsnFold, ARenameWhoseFirstHalfWasBeforeTheReadingHasNoOldName) {
  Journal journal;
  EXPECT_THAT(journal.Add(R::kRenameNewName, u"b"), ElementsAre("renamed  -> b"));
  EXPECT_THAT(journal.Add(R::kRenameNewName | R::kClose, u"b"), IsEmpty());
}

TEST(UsnFold, FilesDoNotMix) {
  Journal journal;
  journal.Add(R::kRenameOldName, u"a", 1);
  EXPECT_THAT(journal.Add(R::kFileCreate | R::kDataExtend | R::kClose, u"x", 2),
              ElementsAre("created x", "modified x"));
  EXPECT_THAT(journal.Add(R::kRenameNewName, u"b", 1), ElementsAre("renamed a -> b"));
}

TEST(UsnFold, WhatHappensInAFolderIsNoChangeOfIt) {
  Journal journal;
  EXPECT_THAT(journal.Add(R::kStreamChange, u"f", 1, true), IsEmpty());
  EXPECT_THAT(journal.Add(R::kSecurityChange, u"f", 1, true), ElementsAre("attributes f"));
}

TEST(UsnFold, AnotherStreamAndAnotherLinkAreTold) {
  Journal journal;
  EXPECT_THAT(journal.Add(R::kStreamChange | R::kNamedDataExtend), ElementsAre("modified a"));
  EXPECT_THAT(journal.Add(R::kStreamChange | R::kNamedDataExtend | R::kHardLinkChange, u"link"),
              ElementsAre("attributes link"));
}

}  // namespace
}  // namespace cordon::platform
